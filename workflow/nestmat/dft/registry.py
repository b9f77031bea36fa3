"""The built-in sets of structures to calculate, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from nestmat.plugins import Registry

STRUCTURE_SETS: Registry[Callable[..., Iterator[dict[str, Any]]]] = Registry(
    "structure set",
    {
        "ternaries": "nestmat.dft.reference_set",
        "binaries": "nestmat.dft.reference_set",
        "convergence": "nestmat.dft.reference_set",
        "alloys": "nestmat.dft.reference_set",
    },
)
"""Functions that list structures as `nestmat.dft.structures` describes them.

Their first argument is the table of calculations that the set is made from, or None; their further arguments,
with defaults, are the options of the set.
"""
