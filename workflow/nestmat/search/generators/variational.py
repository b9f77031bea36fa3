"""A conditional variational autoencoder as a generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nestmat.search.generators.base import GeneratorOptions
from nestmat.search.generators.conditional_vae_settings import ConditionalVAESettings
from nestmat.search.generators.registry import GENERATORS
from nestmat.search.spaces.product import Product

if TYPE_CHECKING:
    from nestmat.search.generators.conditional_vae import VariationalGenerator


@GENERATORS.register("conditional_vae")
@dataclass(frozen=True)
class VariationalOptions(GeneratorOptions, ConditionalVAESettings):
    """A conditional variational autoencoder, for a space of any factors."""

    def build(self, space: Product, seed: int) -> VariationalGenerator:
        """A generator before training; as `GeneratorOptions.build`."""
        from nestmat.search.generators.conditional_vae import VariationalGenerator

        return VariationalGenerator(space, self, seed)
