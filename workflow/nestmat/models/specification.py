"""What a scale's model is made of: the part of a study's configuration that torch sees.

Plain dataclasses, so that a GPU node needs no pydantic; `nestmat.config.networks` validates them.
The metadata of each field is its description in the configuration reference.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, get_args

from nestmat.errors import InputError
from nestmat.models.keys import predicted_quantities
from nestmat.models.registry import NETWORKS

if TYPE_CHECKING:
    from torch import Tensor

    from nestmat.models.base import Network
    from nestmat.models.compiled import CompiledNetwork, InputMap

DEFAULT_KIND = "autoencoder"

Activation = Literal["identity", "relu", "tanh", "silu", "gelu", "softplus", "atanh"]
LossName = Literal[
    "mae",
    "mse",
    "huber",
    "cross_entropy",
    "binary_cross_entropy",
    "gaussian_nll",
    "poisson",
    "multinomial",
    "presence",
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


BlockKind = Literal["continuous", "categorical", "simplex"]


class LossFit(NamedTuple):
    """What a head with a loss predicts.

    Attributes:
        numbers: Whether the loss fits a target that is a number.
        two_classes: Whether it fits a target with two classes.
        more_classes: Whether it fits a target with three classes and more.
        blocks: Kinds of the blocks that it fits.
        outputs: Outputs of the head for each column; a mean and a log-variance are two.
        normalised: Whether the head predicts fractions of sum 1.
        counts: Whether it predicts the logarithm of the mean of counts.
    """

    numbers: bool = False
    two_classes: bool = False
    more_classes: bool = False
    blocks: tuple[BlockKind, ...] = ()
    outputs: int = 1
    normalised: bool = False
    counts: bool = False

    def fits_target(self, classes: int) -> bool:
        """Whether the loss fits a target.

        Args:
            classes: Number of its classes; 0 where it is a number.
        """
        if not classes:
            return self.numbers
        return self.two_classes if classes == 2 else self.more_classes


_NUMBERS = LossFit(numbers=True, blocks=get_args(BlockKind))
LIKELIHOODS: tuple[LossName, ...] = ("multinomial", "presence")
"""Losses that are likelihoods of whole compositions."""
LOSS_FITS: dict[LossName, LossFit] = {
    "mae": _NUMBERS,
    "mse": _NUMBERS,
    "huber": _NUMBERS,
    "gaussian_nll": _NUMBERS._replace(outputs=2),
    "poisson": LossFit(numbers=True, counts=True),
    "cross_entropy": LossFit(more_classes=True, blocks=("categorical", "simplex"), normalised=True),
    "binary_cross_entropy": LossFit(two_classes=True),
    "multinomial": LossFit(blocks=("simplex",), normalised=True),
    "presence": LossFit(blocks=("simplex",), outputs=2, normalised=True),
}


def fitting_losses(classes: int) -> list[LossName]:
    """Losses that fit a target.

    Args:
        classes: Number of its classes; 0 where it is a number.

    Example:
        >>> fitting_losses(2), fitting_losses(3)
        (['binary_cross_entropy'], ['cross_entropy'])
    """
    return [loss for loss, fit in LOSS_FITS.items() if fit.fits_target(classes)]


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
    pieces: int = option(
        0,
        "Pieces that the range of each scaled input of a continuous block is divided into. The first layer "
        "reads a number a piece, so that it tells ranges apart as trees do, and all inputs are bounded "
        "smoothly at 3, so that outliers do not rule. 0 feeds the inputs as they are.",
        ge=0,
    )


@dataclass(frozen=True, kw_only=True)
class Head:
    """Maps the latents to one target, or back to one block of inputs; its key in ``heads`` names which."""

    __pydantic_config__ = {"extra": "forbid"}

    loss: LossName = option(
        "mae",
        "Loss of the head; cross_entropy is that of a target of three classes and more, and takes fractions "
        "or one-hot as soft labels; binary_cross_entropy is that of a target of two classes; gaussian_nll "
        "learns the noise of each row with its mean; poisson is that of counts, of 0 and more, and the head "
        "learns the logarithm of their mean; multinomial and "
        "presence are likelihoods of compositions, for the kind semi_supervised.",
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
    transform: Literal["none", "log"] = option(
        "none",
        "What the head learns of a number: none: the number; log: its logarithm, for positive targets; the "
        "prediction is the median.",
    )
    floor: float | None = option(
        None,
        "Smallest value of the target, in its unit, where what is smaller was recorded as this: there lower "
        "predictions cost nothing, and they are reported as the floor.",
    )

    @property
    def fit(self) -> LossFit:
        """What the head predicts, by its loss."""
        return LOSS_FITS[self.loss]

    @property
    def is_logarithmic(self) -> bool:
        """Whether what the head learns is the logarithm of a number, or of its mean."""
        return self.transform == "log" or self.fit.counts


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


@dataclass(frozen=True)
class Shapes:
    """Widths that a model takes from the data of its scale.

    Attributes:
        blocks: Width of every block, by name.
        kinds: continuous, categorical or simplex, by block.
        targets: Names of the targets.
        classes: Names of the classes of those of them that have some.
    """

    blocks: Mapping[str, int]
    kinds: Mapping[str, str]
    targets: Sequence[str]
    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def quantities(self, target: str) -> list[str]:
        """Names of what is predicted of a target, see `nestmat.models.keys.predicted_quantities`."""
        return predicted_quantities(target, self.classes.get(target, ()))

    @property
    def target_of(self) -> dict[str, str]:
        """Target by the quantities that are predicted of it."""
        return {quantity: target for target in self.targets for quantity in self.quantities(target)}

    def width(self, head: str) -> int:
        """Number of columns that a head predicts: one a quantity of a target, the width of a block.

        Raises:
            InputError: The head is neither a target nor a block.
        """
        if head in self.targets:
            return len(self.quantities(head))
        if head not in self.blocks:
            raise InputError(
                f"The head {head!r} names neither a target nor a feature block or parent of the scale.",
                key=f"heads.{head}",
                remedy=f"name one of {sorted([*self.targets, *self.blocks])}.",
            )
        return self.blocks[head]


@dataclass(frozen=True, kw_only=True)
class Specification(ABC):
    """What the model of a scale is made of; each kind of `NETWORKS` adds options of its own.

    A kind is a frozen dataclass that inherits from this one and is registered with its name; `network` builds
    what is trained. Its properties state what a kind can do.
    """

    __pydantic_config__ = {"extra": "forbid"}

    inputs: tuple[str, ...] = field(
        metadata={"description": "Blocks fed to the encoder: feature blocks of the scale, names of parents."}
    )
    encoder: Encoder = field(metadata={"description": "From inputs to latents."})
    heads: dict[str, Head] = field(
        metadata={"description": "Heads by the target or block that each one predicts."}
    )
    input_scale: Literal["deviation", "robust"] = option(
        "deviation",
        "Unit of inputs. deviation: continuous columns about their mean by their standard deviation, others "
        "as they are. robust: continuous columns about their median by their quartiles, which outliers leave "
        "in place, others by their standard deviation, but for blocks that a head predicts as fractions. "
        "Latents and predictions of parents have the deviation.",
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

    def states_spread(self, target: str) -> bool:
        """Whether predictions of a target have a standard deviation: by several seeds, or by its head."""
        return self.training.seeds > 1 or self.heads[target].fit.outputs == 2

    @property
    def kind(self) -> str:
        """Kind of the network, as in a study."""
        return NETWORKS.kind_of(type(self))

    @property
    def joint(self) -> bool:
        """Whether the parent's model is trained together with this one."""
        return False

    trains_jointly: ClassVar[bool] = False
    """Whether the network can be the parent in a joint training; see `nestmat.models.joint.JointPart`."""

    @property
    def teacher(self) -> str | None:
        """Baseline of the scale whose predictions stand for the labels of unlabelled rows, if any."""
        return None

    predicts_more_classes: ClassVar[bool] = False
    """Whether a target can have three classes and more."""

    weighs_labels: ClassVar[bool] = False
    """Whether labels of one target can count more or less than others, by their known uncertainties."""

    hides_labels: ClassVar[bool] = False
    """Whether batches mark the rows whose labels are hidden."""

    @property
    def takes_unlabelled_rows(self) -> bool:
        """Whether rows without a label train the model."""
        return False

    conditional: ClassVar[bool] = False
    """Whether the targets are part of the latents, so that a material is decoded for given targets.

    The network is then a `nestmat.models.base.ConditionalNetwork`.
    """

    @property
    def input_options(self) -> tuple[str, ...]:
        """Blocks that options of the kind name, which have to be among the inputs."""
        return ()

    @property
    def latent_layer(self) -> str:
        """What the last layer of the encoder computes, for people."""
        return self.encoder.latent_activation

    @property
    def summary(self) -> str:
        """What options of the kind do, in a line for the report; empty where there is nothing to add."""
        return ""

    @property
    def pieces(self) -> int:
        """Numbers that the first layer reads of each input."""
        return max(1, self.encoder.pieces)

    def encoder_width(self, widths: Mapping[str, int]) -> int:
        """Number of inputs of the encoder.

        Args:
            widths: Number of columns by block.
        """
        return sum(widths[block] for block in self.inputs)

    def check(self, shapes: Shapes) -> None:
        """Check that the specification fits the data of its scale.

        Args:
            shapes: Widths of blocks, and targets.

        Raises:
            InputError: A block is missing, or a head or an option does not fit the data.
        """
        for name in self.inputs:
            if name not in shapes.blocks:
                raise InputError(
                    f"The input {name!r} is not a block of the scale.",
                    key=f"inputs.{name}",
                    remedy=f"name one of {sorted(shapes.blocks)}.",
                )
        for name in self.heads:
            shapes.width(name)

    @abstractmethod
    def network(self, shapes: Shapes, seeds: Sequence[int]) -> Network:
        """The network of some members, with first weights.

        Args:
            shapes: Widths of blocks, and targets.
            seeds: Seed of the first weights of each member, (members,).

        Raises:
            InputError: The specification does not fit the data.
        """

    def compile(self, shapes: Shapes, flat: Tensor, inputs: InputMap) -> CompiledNetwork:
        """The network of some members for the prediction of many rows on a processor, without gradients.

        By default that is the network itself; a kind may have a faster form, which agrees but for rounding.

        Args:
            shapes: Widths of blocks, and targets.
            flat: Parameters of the members, (members, parameters).
            inputs: What the members read.
        """
        from nestmat.models.compiled import PlainNetwork

        network = self.network(shapes, [])
        network.flat = flat
        return PlainNetwork(network, inputs)

    def as_dict(self) -> dict[str, Any]:
        """Kind and options as plain values, as `specification_from` reads them."""
        return {"kind": self.kind, **asdict(self)}


def specification_from(content: Mapping[str, Any]) -> Specification:
    """A specification from plain dictionaries and lists, as JSON and YAML hold it.

    Args:
        content: Options, with the ``kind``.

    Raises:
        InputError: The kind or an option is unknown.
    """

    def tuples(options: Mapping[str, Any]) -> dict[str, Any]:
        return {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}

    kind, options = content.get("kind", DEFAULT_KIND), {k: v for k, v in content.items() if k != "kind"}
    specification = NETWORKS[kind]
    if unknown := sorted(options.keys() - {field.name for field in fields(specification)}):
        raise InputError(
            f"The scale model {kind!r} has no option {unknown[0]!r}.",
            key=unknown[0],
            value=options[unknown[0]],
            remedy="correct the specification; a model that an earlier version wrote is to be trained again.",
        )
    return specification(
        **{
            **tuples(options),
            "encoder": Encoder(**tuples(options["encoder"])),
            "heads": {name: Head(**tuples(head)) for name, head in options["heads"].items()},
            "training": Training(**tuples(options.get("training", {}))),
        }
    )
