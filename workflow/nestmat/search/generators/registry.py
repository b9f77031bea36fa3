"""The generators by kind. Each module registers its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nestmat.plugins import Registry

if TYPE_CHECKING:
    from nestmat.search.generators.base import GeneratorOptions

GENERATORS: Registry[type[GeneratorOptions]] = Registry(
    "generator",
    {
        "flow": "nestmat.search.generators.flow",
        "invertible": "nestmat.search.generators.invertible",
        "mixture_density": "nestmat.search.generators.mixture_density",
        "conditional_vae": "nestmat.search.generators.variational",
        "retrieval": "nestmat.search.generators.retrieval",
        "uniform": "nestmat.search.generators.uniform",
    },
)
"""Frozen dataclass of each generator: its fields are the options of a study, and it builds the generator."""
