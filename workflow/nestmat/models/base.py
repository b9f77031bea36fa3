"""The interfaces of a scale's model, and the batches that train it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from nestmat.models.layers import Layout
from nestmat.models.noise import Noise


def at_detection_limit(head: str) -> str:
    """Name under which a batch marks the targets of a head that are at its detection limit."""
    return f"{head} at its floor"


def is_labelled(head: str) -> str:
    """Name under which a batch marks the rows for which the target of a head is known."""
    return f"{head} is known"


def certainty_of(head: str) -> str:
    """Name under which a batch holds how much each row counts for a head, besides the weight of the row."""
    return f"{head} by certainty"


@dataclass(frozen=True)
class Batch:
    """Rows of every member at one step, with the rows as last axis.

    Widths here are a few columns, rows hundreds: products and sums along contiguous rows are several times
    faster than along contiguous columns.

    Attributes:
        inputs: Scaled inputs of the encoder, (members, features, n).
        targets: What each head is compared with, (members, width, n), by head; where a head has a floor, also
            whether the target is there, by `at_detection_limit` of its name; where labels are hidden, also
            whether it is known, by `is_labelled` of its name: where not, it is 0 or the prediction of a
            teacher; where labels have uncertainties, also how much each counts, by `certainty_of` of its
            name.
        weight: Share of each row in the loss, (members, n); sums to 1 over the rows, 0 on padding.
        noise: Source of dropout masks; None switches dropout off.
    """

    inputs: Tensor
    targets: Mapping[str, Tensor]
    weight: Tensor
    noise: Noise | None = None


class ScaleModel(Protocol):
    """What the trainer needs of a model; members are the leading axis of every tensor, in float32.

    Attributes:
        flat: All trained parameters, (members, parameters); the trainer steps this one tensor.
        term_weights: Weight of each term that `loss` returns.
        selection_terms: Terms whose weighted sum decides early stopping.
    """

    flat: Tensor
    term_weights: dict[str, float]
    selection_terms: tuple[str, ...]

    def loss(self, batch: Any) -> dict[str, Tensor]:
        """Unweighted loss terms, (members,) each."""


class Network(ScaleModel, Protocol):
    """The model of one scale, as a kind of `nestmat.models.registry.NETWORKS` builds it.

    Attributes:
        layout: Names and places of the parameters in `flat`.
    """

    layout: Layout

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Latents (members, n, latents) of scaled inputs (members, n, features).

        Returns:
            Their mean and log standard deviation, None if they are exact.
        """

    def decode(self, z: Tensor) -> dict[str, Tensor]:
        """Scaled blocks (members, n, width) of latents (members, n, latents), by block."""

    def predict(self, z: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """Mean and standard deviation of each scaled target, (members, n) each; NaN where none is stated."""


@runtime_checkable
class ConditionalNetwork(Network, Protocol):
    """A network whose latents are z and then one number a target, so that it decodes for given targets.

    Attributes:
        latents: Number of z, which come before the targets.
        latent_std: Standard deviation of the prior of z.
        targets: Names of the targets, in their order among the latents.
        classes: Those of them that are classes.
        composition: Block of fractions that is decoded.
    """

    latents: int
    latent_std: float
    targets: list[str]
    classes: list[str]
    composition: str

    def place(self, x: Tensor, y: Tensor) -> Tensor:
        """Latents (members, n, latents + targets) of fractions (members, n, elements) and targets."""

    def presence(self, z: Tensor) -> Tensor:
        """Probability (members, n, elements) that each element is present."""
