"""The judges of designed materials by kind. Each module registers its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nestmat.plugins import Registry

if TYPE_CHECKING:
    from nestmat.design.judges.base import Judge

JUDGES: Registry[type[Judge]] = Registry(
    "judge",
    {
        "trees": "nestmat.design.judges.trees",
        "gaussian_process": "nestmat.design.judges.gaussian_process",
        "physics": "nestmat.design.judges.physics",
    },
)
"""Frozen dataclass of each judge, whose fields are the options of a study; in the order of tables."""
