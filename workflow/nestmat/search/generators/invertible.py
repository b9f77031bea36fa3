"""An invertible network as a generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from nestmat.models.density_settings import InvertibleSettings
from nestmat.search.generators.base import DensityOptions
from nestmat.search.generators.registry import GENERATORS
from nestmat.search.spaces.product import Product

if TYPE_CHECKING:
    from nestmat.search.generators.network import DensityGenerator


@GENERATORS.register("invertible")
@dataclass(frozen=True)
class InvertibleOptions(DensityOptions, InvertibleSettings):
    """An invertible network, which maps numbers in intervals to the target and latents."""

    transform: Literal["affine", "spline"] = "affine"
    blocks: int = 6
    width: int = 256
    layers: int = 1

    def build(self, space: Product, seed: int) -> DensityGenerator:
        """A generator before training; as `GeneratorOptions.build`."""
        from nestmat.models.invertible import Invertible
        from nestmat.search.generators.network import DensityGenerator

        # What the network reads of a value has to be a target that it returns as well: the value alone.
        return DensityGenerator(space, self, seed, Invertible, indicators=False)
