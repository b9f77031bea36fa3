"""Folds of whole materials, the same at every scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nestmat.evaluation.splits.base import Division, FoldsByNumber, ScaleRows
from nestmat.evaluation.splits.registry import SPLITS
from nestmat.training.inner_folds import balanced_folds


@SPLITS.register("shared")
@dataclass(frozen=True)
class Shared(FoldsByNumber):
    """Whole materials, in the same folds at every scale that has a split of this name, as in strict.

    A material that is validated in fold k trains no scale in fold k: member k of a child reads latents of
    member k of its parent without a leak.
    """

    sentence: ClassVar[str] = (
        "The materials of all scales are divided into {{ split.folds }} shared folds {{ seeds }}: a material "
        "that is validated in fold k trains no scale in fold k."
    )
    is_shared: ClassVar[bool] = True

    def divide(self, rows: ScaleRows, seed: int) -> Division:  # noqa: D102
        [division] = self.divide_scales([rows], seed)
        return division

    def divide_scales(self, scales: Sequence[ScaleRows], seed: int) -> list[Division]:  # noqa: D102
        materials = [rows.texts("material") for rows in scales]
        for rows, names in zip(scales, materials, strict=True):
            rows.require(self.folds, len(np.unique(names)), "materials")
        folds = shared_folds(materials, self.folds, seed)
        return [Division(fold, together=names) for fold, names in zip(folds, materials, strict=True)]


def shared_folds(materials: Sequence[np.ndarray], folds: int, seed: int) -> list[np.ndarray]:
    """Divide the materials of several scales into folds that all scales share.

    The largest materials are placed first, each in the fold that it unbalances least over the scales. A scale
    of which one material has more than 1/folds of the rows cannot be even.

    Args:
        materials: Key of the material of each row, one array (n,) a scale.
        folds: Number of folds.
        seed: Seed of the assignment.

    Returns:
        Fold of each row, one array (n,) a scale. Independent of the order of the rows.
    """
    keys = [np.asarray(values).astype(str) for values in materials]
    names = np.unique(np.concatenate(keys))
    rows = [np.searchsorted(names, values) for values in keys]
    sizes = np.stack([np.bincount(row, minlength=len(names)) for row in rows], axis=1)
    label = balanced_folds(sizes, folds, np.random.default_rng(seed))
    return [label[row] for row in rows]
