"""Training rows in place of a generator: a reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat.deferred import torch
from nestmat.search.generators.base import GeneratorOptions
from nestmat.search.generators.registry import GENERATORS
from nestmat.search.spaces.product import Product

if TYPE_CHECKING:
    from torch import Tensor


@GENERATORS.register("retrieval")
@dataclass(frozen=True)
class RetrievalOptions(GeneratorOptions):
    """Training rows that have the value: a reference without training.

    Attributes:
        width: Largest difference of their quantity from the requested value, in its unit.
    """

    is_reference: ClassVar[bool] = True
    sample_noun: ClassVar[str] = "rows of the data with this value"

    width: float = field(default=0.05, metadata={"ge": 0})

    def build(self, space: Product, seed: int) -> RetrievalGenerator:
        """A generator before training; as `GeneratorOptions.build`."""
        return RetrievalGenerator(space, self, seed)


class RetrievalGenerator:
    """Training rows that have the value, each once: nothing is trained.

    Args:
        space: The materials.
        options: Which rows.
        seed: Not used: the draw has a seed of its own.
    """

    def __init__(self, space: Product, options: RetrievalOptions, seed: int):
        self.options = options
        self.x, self.y = np.empty((0, len(space.columns))), np.empty(0)

    def fit(self, x: NDArray[np.float64], y: NDArray[np.float64], device: torch.device) -> pd.DataFrame:
        """Keep the rows; as `GenerativeModel.fit`, with an empty curve."""
        self.x, self.y = x, y
        return pd.DataFrame(columns=["step", "split", "loss"])

    def state_dict(self) -> dict[str, Tensor]:
        """The rows."""
        return {"x": torch.from_numpy(self.x), "y": torch.from_numpy(self.y)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take the rows."""
        self.x, self.y = state["x"].numpy(), state["y"].numpy()

    def sample(self, value: float, n: int, seed: int) -> NDArray[np.float64]:
        """At most n rows, without repetition; as `GenerativeModel.sample`."""
        near = np.flatnonzero(np.abs(self.y - value) <= self.options.width)
        return self.x[np.random.default_rng(seed).permutation(near)[:n]]
