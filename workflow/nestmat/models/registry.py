"""The kinds of scale models, by the module that defines the options of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nestmat.plugins import Registry

if TYPE_CHECKING:
    from nestmat.models.specification import Specification

NETWORKS: Registry[type[Specification]] = Registry(
    "scale model",
    {
        "autoencoder": "nestmat.models.autoencoder.specification",
        "semi_supervised": "nestmat.models.semi_supervised.specification",
    },
)
"""Specifications of networks by kind; `Specification.network` builds the network."""
