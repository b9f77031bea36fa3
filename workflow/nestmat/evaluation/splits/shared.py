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

    Attributes:
        group: Category column, as a publication or a batch: materials that share a value are in one fold.
    """

    sentence: ClassVar[str] = (
        "The materials of all scales are divided into {{ split.folds }} shared folds {{ seeds }}: a material "
        "that is validated in fold k trains no scale in fold k."
        "{% if split.group %} Materials of one {{ split.group | humanize_key }} are in one fold.{% endif %}"
    )
    is_shared: ClassVar[bool] = True

    group: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:  # noqa: D102
        return () if self.group is None else (self.group,)

    def divide(self, rows: ScaleRows, seed: int) -> Division:  # noqa: D102
        [division] = self.divide_scales([rows], seed)
        return division

    def divide_scales(self, scales: Sequence[ScaleRows], seed: int) -> list[Division]:  # noqa: D102
        units = [rows.texts("material") for rows in scales]
        if self.group is not None:
            units = join_materials(units, [rows.texts(self.group) for rows in scales])
        for rows, names in zip(scales, units, strict=True):
            noun = "materials" if self.group is None else f"groups of materials that share no {self.group}"
            rows.require(self.folds, len(np.unique(names)), noun)
        folds = shared_folds(units, self.folds, seed)
        return [Division(fold, together=names) for fold, names in zip(folds, units, strict=True)]


def join_materials(materials: Sequence[np.ndarray], groups: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Join materials that share a group, directly or through others, over several scales.

    Args:
        materials: Key of the material of each row, one array (n,) a scale.
        groups: Group of each row, (n,) each.

    Returns:
        The first material of what each row is joined with, (n,) each.

    Example:
        >>> rows = ["a", "b", "b", "c", "d"], ["x", "x", "y", "y", "z"]
        >>> join_materials([np.array(rows[0])], [np.array(rows[1])])[0].tolist()
        ['a', 'a', 'a', 'a', 'd']
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    names, material = np.unique(np.concatenate(materials), return_inverse=True)
    values, group = np.unique(np.concatenate(groups), return_inverse=True)
    size = len(names) + len(values)
    links = coo_array((np.ones(len(material)), (material, len(names) + group)), shape=(size, size))
    component = connected_components(links, directed=False)[1][: len(names)]
    first = names[np.unique(component, return_index=True)[1]]
    joined = first[np.unique(component, return_inverse=True)[1]][material]
    return np.split(joined, np.cumsum([len(rows) for rows in materials])[:-1])


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
