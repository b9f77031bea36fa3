"""Folds of whole groups of like rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nestmat.evaluation.splits.base import Division, FoldsByNumber, ScaleRows
from nestmat.evaluation.splits.registry import SPLITS
from nestmat.training.inner_folds import balanced_folds


@SPLITS.register("grouped")
@dataclass(frozen=True)
class Grouped(FoldsByNumber):
    """Whole groups: the material with the columns under `group` of the scale, such as transport layers.

    It asks another question than ``strict``: how well a new device is predicted, where ``strict`` asks for a
    new material.
    """

    sentence: ClassVar[str] = (
        "Whole groups of like rows are divided into {{ split.folds }} folds {{ seeds }}."
    )

    def divide(self, rows: ScaleRows, seed: int) -> Division:  # noqa: D102
        names, group, sizes = np.unique(rows.texts("group"), return_inverse=True, return_counts=True)
        rows.require(self.folds, len(names), "groups")
        fold = balanced_folds(sizes[:, None], self.folds, np.random.default_rng(seed))[group]
        return Division(fold, together=group)
