"""Folds inside the training rows: what stack weights and intervals are learned on."""

from __future__ import annotations

import numpy as np

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


def inner_labels(outer: np.ndarray, repeat: int, fold: int, folds: int) -> np.ndarray:
    """Inner folds of the rows that train in one outer fold.

    Whole outer folds are merged into inner ones. So the inner split has the character of the protocol,
    whatever that is (stratified, grouped, one solvent left out), and weights are learned on the same kind of
    prediction as they are used for. Which ones are merged depends on their numbers alone: scales that share
    the outer folds share the inner ones, and a member of an inner fold finds parents that have not seen its
    materials.

    Args:
        outer: The fold that validates each row, (n,); -1 where a row always trains.
        repeat: Repeat of the protocol.
        fold: The outer fold, whose rows are left out; -1 when every row trains.
        folds: Number of inner folds wanted.

    Returns:
        Inner fold of each row, (n,); -1 for rows that are validated in ``fold`` or that always train.

    Raises:
        InputError: There are fewer than two other outer folds.
    """
    outer = np.asarray(outer)
    inside = (outer != fold) & (outer >= 0)
    names, row = np.unique(outer[inside], return_inverse=True)
    if (others := len(names)) < 2:
        raise InputError(
            f"outside fold {fold} of the protocol are {others} folds, too few to divide into inner ones.",
            column="recommended",
            remedy="use three folds (levels of a left-out column) or more, or keep a member of the stack out "
            "of the protocol by `protocols`.",
        )
    labels = np.full(len(outer), -1, dtype=np.int64)
    dealt = np.random.default_rng(1000 * repeat + fold + 7).permutation(others) % folds
    labels[inside] = dealt[row]
    return labels
