"""Folds inside the training rows: what stack weights and intervals are learned on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.errors import InputError

LABELLED, UNLABELLED, UNUSED = "labelled", "unlabelled", "unused"
"""Roles of the rows of a protocol; see `nestmat.tables.FOLDS`."""


@dataclass(frozen=True)
class RowSplit:
    """How a repeat of a protocol divides the rows of a scale.

    Attributes:
        repeat: Number of the repeat.
        fold: Fold that validates each row, (n,); -1 where none does.
        role: labelled, unlabelled or unused, (n,).
        together: Rows that a holdout divides together have one number, (n,); -1 in other protocols.
    """

    repeat: int
    fold: np.ndarray
    role: np.ndarray
    together: np.ndarray

    @classmethod
    def of(cls, folds: pd.DataFrame, repeat: int, row_id: np.ndarray) -> RowSplit:
        """The division of some rows by one protocol of a folds table.

        Raises:
            InputError: The table lacks one of the rows.
        """
        part = folds[folds["repeat"] == repeat].set_index("row_id").reindex(row_id)
        if (missing := part["fold"].isna()).any():
            raise InputError(
                f"The folds of repeat {repeat} lack row_id {part.index[missing][0]}.",
                remedy="assign the folds again.",
            )
        fold, together = (part[name].to_numpy(np.int64) for name in ("fold", "together"))
        return cls(repeat, fold, part["role"].to_numpy(str), together)

    @property
    def holdout(self) -> bool:
        """Whether the rows are test rows and others, in one fold."""
        return bool((self.together >= 0).all())

    def validation(self, fold: int) -> np.ndarray:
        """Rows that are left out and predicted, (n,); none where ``fold`` is -1."""
        return (self.fold == fold) & (fold >= 0)

    def train(self, fold: int) -> np.ndarray:
        """Rows that train with their label, (n,): every row where ``fold`` is -1."""
        return ~self.validation(fold) & ((self.role == LABELLED) | (fold < 0))

    def unlabelled(self, fold: int) -> np.ndarray:
        """Rows that are seen without their label, (n,)."""
        return (self.role == UNLABELLED) & (fold >= 0)

    def inner(self, fold: int, folds: int, outer_folds: int) -> tuple[np.ndarray, int]:
        """Inner folds of the rows that train; see `inner_labels` and, for a holdout, `dealt_labels`.

        Args:
            fold: The outer fold, whose rows are left out; -1 when every row trains.
            folds: Number of inner folds.
            outer_folds: Number of folds of the protocol.

        Returns:
            Inner fold of each row, (n,), -1 for rows that none holds out; and the number of inner folds, also
            of those without a row.
        """
        if self.holdout:
            return inner_folds_of_holdout(self.train(fold), self.together, self.repeat, fold, folds), folds
        labels = merged_inner_folds(self.fold, self.repeat, fold, folds, outer_folds)
        return labels, min(folds, outer_folds - (fold >= 0))


def balanced_folds(sizes: np.ndarray, folds: int, rng: np.random.Generator) -> np.ndarray:
    """Assign groups to folds, the largest first, each to the fold that it unbalances least.

    Args:
        sizes: Rows of each group in each table that shares the folds, (groups, tables).
        folds: Number of folds.
        rng: Breaks ties between groups and between folds.

    Returns:
        The fold of each group, (groups,). Greedy descent of the sum over tables of the squared fold sizes,
        where every table weighs the same, long or short.

    Example:
        >>> folds = balanced_folds(np.array([[4], [3], [1]]), 2, np.random.default_rng(0))
        >>> bool(folds[0] != folds[1]), bool(folds[1] == folds[2])
        (True, True)
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
        InputError: The metadata of the file do not state it.
    """
    counts = tables.provenance(path).get("folds", {})
    if protocol not in counts:
        raise InputError(
            f"The metadata do not state how many folds protocol {protocol!r} has.",
            file=path,
            remedy="delete it and run again.",
        )
    return int(counts[protocol])


def merged_inner_folds(outer: np.ndarray, repeat: int, fold: int, folds: int, outer_folds: int) -> np.ndarray:
    """Inner folds of the rows that train in one outer fold.

    Whole outer folds are merged into inner ones. So the inner split has the character of the protocol
    (stratified, grouped, one solvent left out), and weights are learned on the same kind of
    prediction as they are used for. Which ones are merged depends on their numbers alone, not on the rows:
    scales that share the outer folds share the inner ones, also where one of them has no row in some fold,
    and a member of an inner fold finds parents that have not seen its materials.

    Args:
        outer: The fold that validates each row, (n,); -1 where a row always trains.
        repeat: Repeat of the protocol.
        fold: The outer fold, whose rows are left out; -1 when every row trains.
        folds: Number of inner folds.
        outer_folds: Number of folds of the protocol.

    Returns:
        Inner fold of each row, (n,), 0 to min(folds, other outer folds) - 1; -1 for rows that are validated
        in ``fold`` or that always train.

    Raises:
        InputError: All rows outside ``fold`` are in one inner fold: nothing is left to train on.
    """
    outer = np.asarray(outer)
    is_divided = (outer != fold) & (outer >= 0)
    other_folds = np.array([number for number in range(outer_folds) if number != fold], dtype=np.int64)
    inner_fold_of = np.full(outer_folds, -1, dtype=np.int64)
    inner_fold_of[other_folds] = (
        np.random.default_rng(1000 * repeat + fold + 7).permutation(len(other_folds)) % folds
    )
    labels = np.full(len(outer), -1, dtype=np.int64)
    labels[is_divided] = inner_fold_of[outer[is_divided]]
    if len(np.unique(labels[is_divided])) < 2:
        count = len(np.unique(outer[is_divided]))
        raise InputError(
            f"Rows outside fold {fold} of the protocol are of {count} folds, too few to divide into {folds} "
            "inner ones.",
            key="recommended",
            remedy="use three folds (levels of a left-out column) or more, raise inner_folds, give more "
            "materials, or keep a member of the stack out of the protocol by `protocols`.",
        )
    return labels


def inner_folds_of_holdout(
    train: np.ndarray, together: np.ndarray, repeat: int, fold: int, folds: int
) -> np.ndarray:
    """Inner folds of the training rows of a holdout, whose single outer fold leaves none to merge.

    Rows that the holdout divides together stay together. Rows that do not train take no part.

    Args:
        train: Rows that train, (n,).
        together: Number of the group of each row, (n,).
        repeat: Repeat of the protocol.
        fold: The outer fold; -1 when every row trains.
        folds: Number of inner folds.

    Returns:
        Inner fold of each row, (n,), 0 to folds - 1; -1 for rows that do not train.

    Raises:
        InputError: There are fewer groups of training rows than inner folds.
    """
    _, group, sizes = np.unique(together[train], return_inverse=True, return_counts=True)
    if len(sizes) < folds:
        raise InputError(
            f"{len(sizes)} groups of training rows are too few for {folds} inner folds.",
            key="recommended",
            remedy="lower inner_folds, label more rows, or keep a member of the stack out of the protocol.",
        )
    labels = np.full(len(train), -1, dtype=np.int64)
    labels[train] = balanced_folds(sizes[:, None], folds, np.random.default_rng(1000 * repeat + fold + 7))[
        group
    ]
    return labels
