"""A conditional normalising flow as a generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nestmat.models.density_settings import FlowSettings
from nestmat.search.generators.base import DensityOptions
from nestmat.search.generators.registry import GENERATORS
from nestmat.search.spaces.product import Product

if TYPE_CHECKING:
    from nestmat.search.generators.network import DensityGenerator


@GENERATORS.register("flow")
@dataclass(frozen=True)
class FlowOptions(DensityOptions, FlowSettings):
    """A conditional normalising flow of affine or spline couplings, for numbers in intervals."""

    def build(self, space: Product, seed: int) -> DensityGenerator:
        """A generator before training; as `GeneratorOptions.build`."""
        from nestmat.models.flow import ConditionalFlow
        from nestmat.search.generators.network import DensityGenerator

        return DensityGenerator(space, self, seed, ConditionalFlow)
