"""Folds inside the training rows: what stack weights and intervals are learned on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nestmat import tables
from nestmat.errors import InputError


def balanced_folds(sizes: np.ndarray, folds: int, rng: np.random.Generator) -> np.ndarray:
    """Assign groups to folds, the largest first, each to the fold that it unbalances least.

    Args:
        sizes: Rows of each group in each table that shares the folds, (groups, tables).
        folds: Number of folds.
        rng: Breaks ties between groups and between folds.

    Returns:
        The fold of each group, (groups,). Greedy descent of the sum over tables of the squared fold sizes,
        where every table weighs the same whatever its length.
    """
    sizes = np.asarray(sizes, dtype=np.float64)
    share = sizes * (folds / np.maximum(sizes.sum(axis=0), 1.0))
    order = rng.permutation(len(share))
    order = order[np.argsort(-share[order].max(axis=1), kind="stable")]
    label = np.empty(len(share), dtype=np.int64)
    load = np.zeros((folds, share.shape[1]))
    for group in order:
        # Adding s to loads l raises the sum of squares by 2 s.l + s.s: only s.l differs between the folds.
        cost = load @ share[group] + 1e-9 * load.sum(axis=1)
        best = np.flatnonzero(cost <= cost.min() + 1e-12)
        label[group] = rng.choice(best)
        load[label[group]] += share[group]
    return label


def count_folds(path: str | Path, protocol: str) -> int:
    """Number of folds of a protocol, also of those that no row of the scale is in.

    Args:
        path: Folds of the scale.
        protocol: Name of the protocol.

    Raises:
        InputError: The file does not say.
    """
    counts = tables.provenance(path).get("folds", {})
    if protocol not in counts:
        raise InputError(
            f"does not say how many folds protocol {protocol!r} has.",
            file=path,
            remedy="delete it and run again.",
        )
    return int(counts[protocol])


def inner_labels(outer: np.ndarray, repeat: int, fold: int, folds: int, outer_folds: int) -> np.ndarray:
    """Inner folds of the rows that train in one outer fold.

    Whole outer folds are merged into inner ones. So the inner split has the character of the protocol,
    whatever that is (stratified, grouped, one solvent left out), and weights are learned on the same kind of
    prediction as they are used for. Which ones are merged depends on their numbers alone, not on the rows:
    scales that share the outer folds share the inner ones, also where one of them has no row in some fold,
    and a member of an inner fold finds parents that have not seen its materials.

    Args:
        outer: The fold that validates each row, (n,); -1 where a row always trains.
        repeat: Repeat of the protocol.
        fold: The outer fold, whose rows are left out; -1 when every row trains.
        folds: Number of inner folds wanted.
        outer_folds: Number of folds of the protocol.

    Returns:
        Inner fold of each row, (n,), 0 to min(folds, other outer folds) - 1; -1 for rows that are validated
        in ``fold`` or that always train.

    Raises:
        InputError: All rows outside ``fold`` are in one inner fold: nothing is left to train on.
    """
    outer = np.asarray(outer)
    inside = (outer != fold) & (outer >= 0)
    others = np.array([number for number in range(outer_folds) if number != fold], dtype=np.int64)
    dealt = np.full(outer_folds, -1, dtype=np.int64)
    dealt[others] = np.random.default_rng(1000 * repeat + fold + 7).permutation(len(others)) % folds
    labels = np.full(len(outer), -1, dtype=np.int64)
    labels[inside] = dealt[outer[inside]]
    if len(np.unique(labels[inside])) < 2:
        count = len(np.unique(outer[inside]))
        raise InputError(
            f"outside fold {fold} of the protocol are rows of {count} folds, too few to divide into {folds} "
            "inner ones.",
            column="recommended",
            remedy="use three folds (levels of a left-out column) or more, raise inner_folds, give more "
            "materials, or keep a member of the stack out of the protocol by `protocols`.",
        )
    return labels
