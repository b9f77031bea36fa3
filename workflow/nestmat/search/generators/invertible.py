"""An invertible network as a generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nestmat.models.invertible import Invertible, InvertibleSettings
from nestmat.search.generators.base import TrainingOptions
from nestmat.search.generators.network import DensityGenerator
from nestmat.search.generators.registry import GENERATORS
from nestmat.search.spaces.product import Product


@GENERATORS.register("invertible")
@dataclass(frozen=True)
class InvertibleOptions(TrainingOptions, InvertibleSettings):
    """An invertible network, which maps numbers in intervals to the target and latents."""

    transform: Literal["affine", "spline"] = "affine"
    blocks: int = 6
    width: int = 256
    layers: int = 1

    def build(self, space: Product, seed: int) -> DensityGenerator:
        """A generator before training; as `GeneratorOptions.build`."""
        # What the network reads of a value has to be a target that it returns as well: the value alone.
        return DensityGenerator(space, self, seed, Invertible, indicators=False)
