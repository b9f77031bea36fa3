"""A mixture density network as a generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nestmat.models.density_settings import MixtureSettings
from nestmat.search.generators.base import DensityOptions
from nestmat.search.generators.registry import GENERATORS
from nestmat.search.spaces.product import Product

if TYPE_CHECKING:
    from nestmat.search.generators.network import DensityGenerator


@GENERATORS.register("mixture_density")
@dataclass(frozen=True)
class MixtureDensityOptions(DensityOptions, MixtureSettings):
    """A mixture of normal distributions with full covariance, for numbers in intervals."""

    def build(self, space: Product, seed: int) -> DensityGenerator:
        """A generator before training; as `GeneratorOptions.build`."""
        from nestmat.models.mixture_density import MixtureDensity
        from nestmat.search.generators.network import DensityGenerator

        return DensityGenerator(space, self, seed, MixtureDensity)
