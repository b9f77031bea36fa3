"""Rows that a member leaves out: a fold, and inside the other rows what stacks and intervals are learned on.

A stack of fold i learns its weights on predictions of rows that are not in fold i, by members that left out
fold i and these rows. Where a protocol has four folds or more, these members leave out **pairs**: the member
of {i, j} predicts the rows of j for the stack of fold i, and those of i for the stack of fold j. Fewer folds
leave too few rows for that. There, and for a holdout, the rows are dealt into inner folds when the folds are
assigned. Either way the numbers of folds alone define what a member leaves out: scales that share folds
share the pairs and inner folds, and a member finds a parent that left out the same materials.

Rows that are held out at random say how a stack errs among materials like those that train it. How it errs
beyond them is learned on **regions**: kinds of material, as all with one element, that members leave out
whole together with a fold (`nestmat.evaluation.regions`).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.errors import InputError

LABELLED, UNLABELLED, UNUSED = "labelled", "unlabelled", "unused"
"""Roles of the rows of a protocol; see `nestmat.tables.FOLDS`."""

FEWEST_FOLDS_OF_PAIRS = 4
"""With fewer folds a member of a pair would train on a third of the rows or less."""
MOST_FOLDS_OF_ALL_PAIRS, NEIGHBOURS = 10, 4
"""With more folds each one is paired with those at most so many places before and after it, in a ring."""
ROWS_OF_ALL_PAIRS = 2000
"""With so many rows at every scale each fold is paired with its neighbours alone, which is enough rows."""
MOST_REGIONS, REGIONS_WITHOUT_PAIRS = 5, 2
"""Regions of a protocol with pairs at most, of which each fold has one, and of others, where each has all."""
INNER, EXTRAPOLATED = "inner", "extrapolated"
"""Splits of the predictions of rows held out inside the training rows: at random, or a whole region."""


@dataclass(frozen=True)
class RowSplit:
    """How a repeat of a protocol divides the rows of a scale.

    Attributes:
        repeat: Number of the repeat.
        fold: Fold that validates each row, (n,); -1 where none does.
        role: labelled, unlabelled or unused, (n,).
        inner: Inner fold of each row, (n,), of protocols without pairs; -1 of others.
        folds: Number of folds of the protocol, also of those that none of these rows is in.
        inner_folds: Number of inner folds of the protocol, 0 where it has pairs of folds.
        neighbours: Folds before and after it, in a ring, that a fold is paired with; None for all.
        region_count: Number of regions of the protocol, 0 for none.
        regions: Regions of each row, (n,): bit k is set where it is of region k. Empty where there are none.

    Example:
        >>> fold = np.array([0, 1, 2, 3])
        >>> split = RowSplit(0, fold, np.full(4, LABELLED), np.full(4, -1), folds=4, inner_folds=0)
        >>> split.inner_members()
        [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
        >>> {key: np.flatnonzero(rows).tolist() for key, rows in split.held_out(0, 2).items()}
        {(0, 2): [2], (2, 0): [0]}
        >>> np.flatnonzero(split.train(0, 2)).tolist()
        [1, 3]
    """

    repeat: int
    fold: np.ndarray
    role: np.ndarray
    inner: np.ndarray
    folds: int
    inner_folds: int = 0
    neighbours: int | None = None
    region_count: int = 0
    regions: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @classmethod
    def of(
        cls,
        folds: pd.DataFrame,
        repeat: int,
        row_id: np.ndarray,
        count: int = 0,
        inner_folds: int = 0,
        neighbours: int | None = None,
        region_count: int = 0,
    ) -> RowSplit:
        """The division of some rows by one protocol of a folds table.

        Args:
            folds: Rows of the protocol in a folds table.
            repeat: Number of the repeat.
            row_id: Rows in their order, (n,).
            count: Number of folds of the protocol; by default of those that occur.
            inner_folds: Number of its inner folds.
            neighbours: Folds on either side that a fold is paired with; all by default.
            region_count: Number of its regions.

        Raises:
            InputError: The table lacks one of the rows.
        """
        part = folds[folds["repeat"] == repeat].set_index("row_id").reindex(row_id)
        if (missing := part["fold"].isna()).any():
            raise InputError(
                f"The folds of repeat {repeat} lack row_id {part.index[missing][0]}.",
                remedy="assign the folds again.",
            )
        fold, inner, regions = (part[name].to_numpy(np.int64) for name in ("fold", "inner", "regions"))
        role, count = part["role"].to_numpy(str), count or int(fold.max()) + 1
        return cls(repeat, fold, role, inner, count, inner_folds, neighbours, region_count, regions)

    @property
    def has_pairs(self) -> bool:
        """Whether members leave out pairs of folds for the stack; else inner folds."""
        return self.folds >= FEWEST_FOLDS_OF_PAIRS

    @property
    def divides_training_rows(self) -> bool:
        """Whether there are pairs or inner folds to learn a stack on."""
        return self.has_pairs or self.inner_folds > 1

    @property
    def _first_region(self) -> int:
        """Number that stands for the first region where an inner fold is named; folds come before it."""
        return self.folds if self.has_pairs else self.inner_folds

    def split_name(self, inner: int) -> str:
        """Name of the split of rows that a member holds out inside the training rows."""
        return EXTRAPOLATED if inner >= self._first_region else INNER

    def validation(self, fold: int) -> np.ndarray:
        """Rows of a fold, which are left out and predicted, (n,); none where ``fold`` is -1."""
        return (self.fold == fold) & (fold >= 0)

    def held_out(self, fold: int, inner: int = -1) -> dict[tuple[int, int], np.ndarray]:
        """Rows that a member leaves out and predicts.

        Args:
            fold: Fold that the member leaves out.
            inner: The other fold of its pair, its inner fold, or the number of its region; -1 for none.

        Returns:
            Rows, (n,), by the fold whose stack reads their predictions and their own fold or inner fold.
        """
        if inner < 0:
            return {(fold, -1): self.validation(fold)}
        if inner >= self._first_region:
            in_region = (self.regions >> (inner - self._first_region)) & 1 == 1
            return {(fold, inner): in_region & self.train(fold)}
        if self.has_pairs:
            return {(fold, inner): self.fold == inner, (inner, fold): self.fold == fold}
        return {(fold, inner): (self.inner == inner) & self.train(fold)}

    def train(self, fold: int, inner: int = -1) -> np.ndarray:
        """Rows that train a member with their label, (n,): every row where ``fold`` is -1."""
        rows = ~self.validation(fold) & ((self.role == LABELLED) | (fold < 0))
        if inner >= 0:
            for held_out in self.held_out(fold, inner).values():
                rows &= ~held_out
        return rows

    def unlabelled(self, fold: int) -> np.ndarray:
        """Rows that are seen without their label, (n,)."""
        return (self.role == UNLABELLED) & (fold >= 0)

    def inner_members(self, neighbours: int | None = None) -> list[tuple[int, int]]:
        """Members that the weights of a stack are learned on; see the function `inner_members`."""
        return inner_members(self.folds, self.inner_folds, neighbours or self.neighbours)

    def extrapolating_members(self) -> list[tuple[int, int]]:
        """Fold and number of the region of every member that leaves out a region.

        Where folds make pairs each one has one region, so that those of all folds are of all regions; else
        each fold has all of them.
        """
        regions = range(self._first_region, self._first_region + self.region_count)
        if not self.has_pairs:
            return list(itertools.product(range(self.folds), regions))
        return [(fold, regions[fold % len(regions)]) for fold in range(self.folds)] if regions else []


def count_regions(folds: int) -> int:
    """Number of regions of a protocol with some number of folds.

    Example:
        >>> count_regions(2), count_regions(4), count_regions(10)
        (2, 4, 5)
    """
    return min(folds, MOST_REGIONS) if folds >= FEWEST_FOLDS_OF_PAIRS else REGIONS_WITHOUT_PAIRS


def regions_of_a_fold(folds: int) -> int:
    """Number of regions that members leave out with each fold, of a protocol with some number of folds."""
    return 1 if folds >= FEWEST_FOLDS_OF_PAIRS else REGIONS_WITHOUT_PAIRS


def inner_members(folds: int, inner_folds: int, neighbours: int | None = None) -> list[tuple[int, int]]:
    """Fold and other fold, or fold and inner fold, of every member that a stack learns on.

    Args:
        folds: Number of folds of the protocol.
        inner_folds: Number of inner folds, where the folds are too few for pairs.
        neighbours: Pair a fold only with so many folds before and after it, in a ring; all folds by default,
            up to `MOST_FOLDS_OF_ALL_PAIRS` of them.

    Raises:
        InputError: The rows that train cannot be divided.

    Example:
        >>> inner_members(4, 0, neighbours=1), inner_members(2, 2)
        ([(0, 1), (0, 3), (1, 2), (2, 3)], [(0, 0), (0, 1), (1, 0), (1, 1)])
    """
    if folds >= FEWEST_FOLDS_OF_PAIRS:
        if neighbours is None:
            neighbours = folds if folds <= MOST_FOLDS_OF_ALL_PAIRS else NEIGHBOURS
        pairs = itertools.combinations(range(folds), 2)
        return [(i, j) for i, j in pairs if min(j - i, folds - j + i) <= neighbours]
    if inner_folds < 2:
        raise InputError(
            f"A protocol of {folds} folds makes no pairs, and its rows are too few to be dealt into inner "
            "folds.",
            key="recommended",
            remedy=f"use {FEWEST_FOLDS_OF_PAIRS} folds or more, give more materials, or keep a member of "
            "the stack out of the protocol by `protocols`.",
        )
    return list(itertools.product(range(folds), range(inner_folds)))


def read_row_splits(path: str | Path, protocol: str, row_id: np.ndarray) -> list[RowSplit]:
    """The division of some rows by every repeat of a protocol.

    Args:
        path: Folds of the scale.
        protocol: Name of the protocol.
        row_id: Rows of the scale in their order, (n,).

    Raises:
        InputError: The file has no such protocol, does not state its number of folds, or lacks a row.
    """
    table, facts = tables.read(path, protocol=protocol), tables.provenance(path)
    counts: Mapping[str, int] = facts.get("folds", {})
    if protocol not in counts:
        raise InputError(
            f"The metadata do not state how many folds protocol {protocol!r} has.",
            file=path,
            remedy="delete it and run again.",
        )
    inner_folds = int(facts.get("inner_folds", {}).get(protocol, 0))
    regions = len(facts.get("regions", {}).get(protocol, ()))
    neighbours = facts.get("neighbours", {}).get(protocol)
    repeats = sorted(set(table["repeat"].tolist()))
    return [
        RowSplit.of(table, repeat, row_id, int(counts[protocol]), inner_folds, neighbours, regions)
        for repeat in repeats
    ]


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


def deal_inner_folds(
    groups: Sequence[np.ndarray], folds: Sequence[np.ndarray], count: int, seed: int
) -> list[np.ndarray] | None:
    """Deal the rows of every fold, and those that no fold validates, into inner folds.

    Args:
        groups: Key of each row's group in every table that shares the folds, (n,) each. The rows of a group
            are in one fold, and stay together.
        folds: Fold of each row, (n,) each; -1 where none validates it.
        count: Number of inner folds.
        seed: Seed of the assignment.

    Returns:
        Inner fold of each row, (n,) each; None where some fold leaves fewer groups than inner folds.
    """
    keys, group = np.unique(np.concatenate(groups), return_inverse=True)
    fold = np.empty(len(keys), dtype=np.int64)
    fold[group] = np.concatenate(folds)
    if min((fold != number).sum() for number in np.unique(fold[fold >= 0])) < count:
        return None
    tables_of_rows = np.split(group, np.cumsum([len(rows) for rows in groups])[:-1])
    sizes = np.stack([np.bincount(rows, minlength=len(keys)) for rows in tables_of_rows], axis=1)
    inner = np.empty(len(keys), dtype=np.int64)
    for number in np.unique(fold):
        rng = np.random.default_rng([seed, number + 1, 7])
        inner[fold == number] = balanced_folds(sizes[fold == number], count, rng)
    return [inner[rows] for rows in tables_of_rows]
