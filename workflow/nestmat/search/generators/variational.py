"""A conditional variational autoencoder as a generator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from nestmat.search.generators.base import CURVE, GeneratorOptions, even_weights
from nestmat.search.generators.conditional_vae import ConditionalVAE
from nestmat.search.generators.conditional_vae_settings import ConditionalVAESettings
from nestmat.search.generators.registry import GENERATORS
from nestmat.search.spaces.product import Product


@GENERATORS.register("conditional_vae")
@dataclass(frozen=True)
class VariationalOptions(GeneratorOptions, ConditionalVAESettings):
    """A conditional variational autoencoder, for a space of any factors."""

    def build(self, space: Product, seed: int) -> VariationalGenerator:
        """A generator before training; as `GeneratorOptions.build`."""
        return VariationalGenerator(space, self, seed)


class VariationalGenerator(ConditionalVAE):
    """A conditional variational autoencoder, for a space of any parts.

    Args:
        space: The materials.
        options: Sizes and training.
        seed: Seed of all random draws.
    """

    def __init__(self, space: Product, options: VariationalOptions, seed: int):
        super().__init__(space, 1, options, seed)

    def fit(self, x: NDArray[np.float64], y: NDArray[np.float64], device: torch.device) -> pd.DataFrame:  # type: ignore[override]
        """Train, on the CPU: the network is small; as `GenerativeModel.fit`."""
        self.standardise(y[:, None])
        curve = super().fit(x, y[:, None], even_weights(y), self.settings.steps)
        interval = max(1, len(curve) // CURVE)
        steps = range(interval, len(curve) + 1, interval)
        means = [(step, "train", float(np.mean(curve[step - interval : step]))) for step in steps]
        return pd.DataFrame(means, columns=["step", "split", "loss"])

    def sample(self, value: float, n: int, seed: int) -> NDArray[np.float64]:  # type: ignore[override]
        """Materials (n, columns) on the grid; as `GenerativeModel.sample`."""
        self.reseed(seed)
        return super().sample(np.full((n, 1), value), n)
