"""Uniform samples in place of a generator: a reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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


@GENERATORS.register("uniform")
@dataclass(frozen=True)
class UniformOptions(GeneratorOptions):
    """Materials drawn uniformly from the space: a reference without training."""

    is_reference: ClassVar[bool] = True
    draws_uniformly: ClassVar[bool] = True
    sample_noun: ClassVar[str] = "uniform samples"

    def build(self, space: Product, seed: int) -> UniformGenerator:
        """A generator before training; as `GeneratorOptions.build`."""
        return UniformGenerator(space, self, seed)


class UniformGenerator:
    """Materials drawn uniformly from the space: nothing is trained.

    Args:
        space: The materials.
        options: None.
        seed: Not used: the draw has a seed of its own.
    """

    def __init__(self, space: Product, options: UniformOptions, seed: int):
        self.space = space

    def fit(self, x: NDArray[np.float64], y: NDArray[np.float64], device: torch.device) -> pd.DataFrame:
        """Nothing to train; as `GenerativeModel.fit`, with an empty curve."""
        return pd.DataFrame(columns=["step", "split", "loss"])

    def sample(self, value: float, n: int, seed: int) -> NDArray[np.float64]:
        """Materials (n, columns), independent of the value."""
        return self.space.sample(n, seed)

    def state_dict(self) -> dict[str, Tensor]:
        """No parameter."""
        return {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take no parameter.

        Raises:
            KeyError: There is one.
        """
        if state:
            raise KeyError(next(iter(state)))
