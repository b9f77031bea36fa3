"""The search methods by kind. Each module registers its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nestmat.plugins import Registry

if TYPE_CHECKING:
    from nestmat.search.methods.base import SearchMethod

METHODS: Registry[type[SearchMethod]] = Registry(
    "search method",
    {
        "random": "nestmat.search.methods.random_search",
        "ranking": "nestmat.search.methods.ranking",
        "genetic": "nestmat.search.methods.genetic",
        "gradient": "nestmat.search.methods.gradient",
        "nsga": "nestmat.search.methods.nsga",
        "latent": "nestmat.search.methods.latent",
        "vae": "nestmat.search.methods.vae",
        "generative": "nestmat.search.methods.generative",
        "decode": "nestmat.search.methods.decode",
        "scan": "nestmat.search.methods.scan",
        "inversion": "nestmat.search.methods.inversion",
    },
)
"""Frozen dataclass of each method: its fields are the options of a study."""
