"""A conditional normalising flow as a generator."""

from __future__ import annotations

from dataclasses import dataclass

from nestmat.models.flow import ConditionalFlow, FlowSettings
from nestmat.search.generators.base import TrainingOptions
from nestmat.search.generators.network import DensityGenerator
from nestmat.search.generators.registry import GENERATORS
from nestmat.search.spaces.product import Product


@GENERATORS.register("flow")
@dataclass(frozen=True)
class FlowOptions(TrainingOptions, FlowSettings):
    """A conditional normalising flow of affine or spline couplings, for numbers in intervals."""

    def build(self, space: Product, seed: int) -> DensityGenerator:
        """A generator before training; as `GeneratorOptions.build`."""
        return DensityGenerator(space, self, seed, ConditionalFlow)
