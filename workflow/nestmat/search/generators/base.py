"""Generators of materials with a value of one quantity: protocol, options, learning curve."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat import tables
from nestmat.deferred import torch
from nestmat.errors import InputError
from nestmat.search.spaces.product import Product

if TYPE_CHECKING:
    from torch import Tensor

ATOM = 0.05
"""Share of the rows from which on a single value of the condition has an indicator of its own."""
BINS = 40
"""Equal bins of the condition over which training rows are drawn evenly."""
CURVE = 50
"""Points of a learning curve."""

HISTORY: tables.Schema = {
    "seed": tables.Column("int32", description="seed of the network"),
    "step": tables.Column("int32", description="steps of the optimiser"),
    "split": tables.Column("string", description="train, or held out of the training rows"),
    "loss": tables.Column("float64", description="mean over the rows; nats where the model is a density"),
}


class GenerativeModel(Protocol):
    """Draws materials that have a value of one quantity."""

    def fit(self, x: NDArray[np.float64], y: NDArray[np.float64], device: torch.device) -> pd.DataFrame:
        """Train.

        Args:
            x: Materials, (n, columns).
            y: The quantity of each, (n,).
            device: Device of the training; the trained model is on the CPU.

        Returns:
            Learning curve: the columns of `HISTORY` without the seed.
        """

    def sample(self, value: float, n: int, seed: int) -> NDArray[np.float64]:
        """At most n materials, (n, columns), that should have a value; some may be outside of the space."""

    def state_dict(self) -> dict[str, Tensor]:
        """Parameters by name."""

    def load_state_dict(self, state: Mapping[str, Tensor]) -> Any:
        """Take the parameters that `state_dict` returned."""


@dataclass(frozen=True)
class GeneratorOptions(ABC):
    """Options of a generator, which are the fields of the subclass.

    The class attributes are what report and figures need to know of a kind.
    """

    is_reference: ClassVar[bool] = False
    """Whether nothing is trained, so that other generators are compared with it."""
    draws_uniformly: ClassVar[bool] = False
    """Whether its materials are drawn uniformly from the space."""
    sample_noun: ClassVar[str] = "samples"
    """Noun for its samples in the report, in the plural."""

    @abstractmethod
    def build(self, space: Product, seed: int) -> GenerativeModel:
        """A generator before training.

        Args:
            space: The materials.
            seed: Seed of the first weights and of the training.

        Raises:
            InputError: As `check_space`.
        """

    def check_space(self, space: Product) -> None:  # noqa: B027
        """Check that the kind goes with a space; by default it goes with any.

        Raises:
            InputError: It does not.
        """


@dataclass(frozen=True)
class DensityOptions(GeneratorOptions):
    """Training of a density of numbers in intervals.

    Attributes:
        steps: Steps of Adam.
        batch: Rows a step, drawn evenly over the range of the condition.
        rate: Largest step size, of a single cycle (Smith & Topin, arXiv:1708.07120).
        jitter: Standard deviation of noise added to the coordinates: rows that share a number exactly would
            have an infinite density.
        held_out: Share of the rows that is left out for the learning curve.
        coordinates: bounded: numbers are mapped onto the reals by the logit of their place in the interval,
            and no sample leaves the space; raw: they are not mapped, as in MatDesINNe.
    """

    steps: int = field(default=2000, metadata={"ge": 1})
    batch: int = field(default=512, metadata={"ge": 1})
    rate: float = field(default=2e-3, metadata={"gt": 0})
    jitter: float = field(default=0.02, metadata={"ge": 0})
    held_out: float = field(default=0.1, metadata={"ge": 0, "lt": 1})
    coordinates: Literal["bounded", "raw"] = "bounded"

    def check_space(self, space: Product) -> None:
        """Check that a space has numbers in intervals alone; as `GeneratorOptions.check_space`."""
        if not all(factor.is_interval and not factor.periodic for factor in space.factors):
            raise InputError(
                "A density of numbers needs a space of numbers in intervals that are not periodic.",
                key="space",
                remedy="choose conditional_vae, which handles compositions, levels and periodic numbers.",
            )


def most_frequent_value(y: NDArray[np.float64]) -> float:
    """The most frequent value of (n,) where many share it; else NaN."""
    values, counts = np.unique(y, return_counts=True)
    return float(values[counts.argmax()]) if counts.max() > ATOM * len(y) else np.nan


def even_weights(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights (n,) that draw rows evenly over the range of ``y``; those of rare values are capped."""
    counts, edges = np.histogram(y, bins=BINS)
    place = np.clip(np.digitize(y, edges) - 1, 0, BINS - 1)
    return 1.0 / np.maximum(counts[place], len(y) / (10 * BINS))
