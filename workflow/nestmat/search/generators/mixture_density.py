"""A mixture density network as a generator."""

from __future__ import annotations

from dataclasses import dataclass

from nestmat.models.mixture_density import MixtureDensity, MixtureSettings
from nestmat.search.generators.base import TrainingOptions
from nestmat.search.generators.network import DensityGenerator
from nestmat.search.generators.registry import GENERATORS
from nestmat.search.spaces.product import Product


@GENERATORS.register("mixture_density")
@dataclass(frozen=True)
class MixtureDensityOptions(TrainingOptions, MixtureSettings):
    """A mixture of normal distributions with full covariance, for numbers in intervals."""

    def build(self, space: Product, seed: int) -> DensityGenerator:
        """A generator before training; as `GeneratorOptions.build`."""
        return DensityGenerator(space, self, seed, MixtureDensity)
