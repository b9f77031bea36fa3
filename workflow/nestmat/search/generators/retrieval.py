"""Training rows in place of a generator: a reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nestmat.search.generators.base import GeneratorOptions
from nestmat.search.generators.registry import GENERATORS
from nestmat.search.spaces.product import Product


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


class RetrievalGenerator(nn.Module):
    """Training rows that have the value, each once: nothing is trained.

    Args:
        space: The materials.
        options: Which rows.
        seed: Not used: the draw has a seed of its own.
    """

    def __init__(self, space: Product, options: RetrievalOptions, seed: int):
        super().__init__()
        self.options = options
        self.register_buffer("x", torch.empty(0, len(space.columns), dtype=torch.float64))
        self.register_buffer("y", torch.empty(0, dtype=torch.float64))

    def fit(self, x: NDArray[np.float64], y: NDArray[np.float64], device: torch.device) -> pd.DataFrame:
        """Keep the rows; as `GenerativeModel.fit`, with an empty curve."""
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y)
        return pd.DataFrame(columns=["step", "split", "loss"])

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:  # type: ignore[override]
        """Take the rows."""
        self.x, self.y = state["x"], state["y"]

    def sample(self, value: float, n: int, seed: int) -> NDArray[np.float64]:
        """At most n rows, without repetition; as `GenerativeModel.sample`."""
        near = np.flatnonzero(np.abs(self.y.numpy() - value) <= self.options.width)
        return self.x.numpy()[np.random.default_rng(seed).permutation(near)[:n]]
