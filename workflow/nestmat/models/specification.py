"""What a scale's model is made of: the part of a study's configuration that torch sees.

Plain dataclasses, so that a GPU node needs no pydantic; `nestmat.config.study` validates them.
The metadata of each field is its description in the configuration reference.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Activation = Literal["identity", "relu", "tanh", "silu", "gelu", "softplus", "atanh"]
LossName = Literal[
    "mae", "mse", "huber", "cross_entropy", "binary_cross_entropy", "gaussian_nll", "multinomial", "presence"
]
PenaltyName = Literal[
    "l1",
    "l1_encoder",
    "l2",
    "input_relevance",
    "latent_target_correlation",
    "latent_decorrelation",
    "independence",
]


def option(default: Any, description: str, **limits: Any) -> Any:
    """A dataclass field with a description and numeric limits that pydantic checks."""
    return field(default=default, metadata={"description": description, **limits})


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """Maps the standardised inputs to the latents."""

    __pydantic_config__ = {"extra": "forbid"}

    latents: int = field(metadata={"description": "Number of latent variables.", "gt": 0})
    hidden: tuple[int, ...] = option((), "Width of each hidden layer, from input to latents.")
    activation: Activation = option("silu", "Activation of the hidden layers.")
    latent_activation: Activation = option("tanh", "Activation of the latents.")
    dropout: float = option(0.0, "Share of hidden units dropped while training.", ge=0, lt=1)
    gain: float = option(1.0, "Gain of the initialisation.", gt=0)
    bias_range: float = option(
        0.0, "First biases of the first layer are uniform on plus or minus this; 0 starts them at zero.", ge=0
    )


@dataclass(frozen=True, kw_only=True)
class Head:
    """Maps the latents to one target, or back to one block of inputs; its key in ``heads`` names which."""

    __pydantic_config__ = {"extra": "forbid"}

    loss: LossName = option(
        "mae",
        "Loss of the head; cross_entropy takes fractions or one-hot as soft labels, binary_cross_entropy is "
        "that of a target with classes; multinomial and presence go with semi_supervised.",
    )
    weight: float = option(1.0, "Weight of the loss in the sum.", ge=0)
    hidden: tuple[int, ...] = option((), "Width of each hidden layer, from latents to output.")
    activation: Activation = option("silu", "Activation of the hidden layers.")
    output_activation: Activation = option("identity", "Activation of the output.")
    dropout: float = option(0.0, "Share of hidden units dropped while training.", ge=0, lt=1)
    gain: float = option(1.0, "Gain of the initialisation.", gt=0)
    output_gain: float = option(1.0, "Further gain of the last layer.", gt=0)
    standardise: bool = option(
        True,
        "Fit to the target standardised on the member's training rows; blocks are standardised as inputs, "
        "and a target with classes never is.",
    )
    floor: float | None = option(
        None,
        "Smallest value of the target, in its unit, where what is smaller was recorded as this: there lower "
        "predictions cost nothing, and they are reported as the floor.",
    )


@dataclass(frozen=True, kw_only=True)
class Training:
    """How the members of a model are trained: all of them at once."""

    __pydantic_config__ = {"extra": "forbid"}

    epochs: int = option(1000, "Passes over the training rows.", gt=0)
    batch_size: int | None = option(None, "Rows a step; null takes all of them.", gt=0)
    learning_rate: float = option(1e-3, "Step size of Adam.", gt=0)
    weight_decay: float = option(0.0, "Decoupled weight decay (AdamW).", ge=0)
    schedule: Literal["constant", "cosine"] = option("constant", "Learning rate along the epochs.")
    warmup: float = option(0.0, "Share of the epochs in which the learning rate rises from zero.", ge=0, lt=1)
    penalty_warmup: tuple[float, float] = option(
        (0.0, 0.0),
        "Shares of the epochs between which the weights of the penalties rise from zero; by default they are "
        "whole from the start.",
    )
    beta2: float = option(0.999, "Adam: decay of the mean square of the gradient.", gt=0, lt=1)
    stop: Literal["last", "early"] = option(
        "last", "Weights kept: of the last epoch, or of the best on rows held out of the training rows."
    )
    patience: int = option(100, "Early stopping: epochs without improvement before a member stops.", gt=0)
    holdout: float = option(0.1, "Early stopping: share of the training rows held out.", gt=0, lt=1)
    seeds: int = option(1, "Members a fold, each from its own initial weights.", gt=0)
    scale_on: Literal["train", "all"] = option(
        "train", "Rows that scalers see; `all` repeats a published leak and is only for reproductions."
    )


@dataclass(frozen=True, kw_only=True)
class SemiSupervised:
    """Makes the model a semi-supervised variational autoencoder of compositions (docs/semi-supervised.md).

    The heads of the targets are then q(y | e), with their weight that of the auxiliary loss, the encoder is
    q(z | x, y), and the head of the composition p(x | y, z).
    """

    __pydantic_config__ = {"extra": "forbid"}

    composition: str = field(
        metadata={
            "description": (
                "Block of fractions x that is generated; its head has the loss multinomial or presence."
            )
        }
    )
    classifier: tuple[str, ...] = field(
        metadata={"description": "Blocks e that the heads of the targets read: what an expert would look at."}
    )
    atoms: float = option(100.0, "Atoms that a composition counts as in its likelihood.", gt=0)
    presence: float = option(
        10.0, "Loss presence: times that the presence of an element counts beside its share.", gt=0
    )
    roots: bool = option(
        True, "The encoder reads square roots of the fractions, which tell a little of an element from none."
    )
    divergence: float = option(1.0, "Weight of the divergence of q(z | x, y) from the prior of z.", ge=0)
    latent_std: float = option(1.0, "Standard deviation of the normal prior of z.", gt=0)
    prior: dict[str, float] = field(
        default_factory=dict,
        metadata={"description": "Prior probability of class 1 by target; 0.5 where none is given."},
    )
    unlabelled: float = option(1.0, "Weight of rows without a label; 0 trains on labelled rows alone.", ge=0)
    teacher: str | None = option(
        None,
        "Baseline of the scale whose probabilities are q(y | x) of rows without a label, where the heads "
        "learn them; by default the heads alone say q(y | e).",
    )


@dataclass(frozen=True, kw_only=True)
class Model:
    """An autoencoder of one scale: inputs, encoder, heads, penalties and training."""

    __pydantic_config__ = {"extra": "forbid"}

    inputs: tuple[str, ...] = field(
        metadata={"description": "Blocks fed to the encoder: feature blocks of the scale, names of parents."}
    )
    encoder: Encoder = field(metadata={"description": "From inputs to latents."})
    heads: dict[str, Head] = field(
        metadata={"description": "Heads by the target or block that each one gives."}
    )
    initialisation: Literal["xavier", "lecun"] = option(
        "xavier",
        "Normal first weights of each layer, of variance 2 / (inputs + outputs), or 1 / inputs.",
    )
    penalties: dict[PenaltyName, float] = field(
        default_factory=dict, metadata={"description": "Weight of each penalty added to the loss."}
    )
    training: Training = field(
        default_factory=Training, metadata={"description": "Optimisation and members."}
    )
    parent_model: str | None = option(
        None, "Model of the parent scales whose latents are read; by default the model of the same name."
    )
    semi_supervised: SemiSupervised | None = option(
        None, "Rows without labels, and compositions that are generated for wanted labels."
    )
    joint: bool = option(
        False, "Train the parent's model together with this one, end to end through the latents."
    )

    @property
    def sees_unlabelled(self) -> bool:
        """Whether rows without a label train the model."""
        return self.semi_supervised is not None and self.semi_supervised.unlabelled > 0
