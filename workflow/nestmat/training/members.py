"""Members: the copies of a model, one a repeat, fold, inner fold and seed, and the rows each of them sees."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from nestmat.errors import InputError
from nestmat.training.inner_folds import RowSplit

MEMBER_KEYS = ("repeat", "fold", "inner", "seed")
"""What a member is."""
MEMBER_COLUMNS = ("member", *MEMBER_KEYS)
"""Columns that identify a member in a table: its number, and what it is."""
ENSEMBLE_KEYS = MEMBER_KEYS[:-1]
"""What the members of an ensemble, its seeds, have in common."""


@dataclass(frozen=True)
class Members:
    """Copies of a model and their rows.

    Attributes:
        repeat: Repeat of the protocol, (members,).
        fold: Fold that is left out; -1 where every row trains, (members,).
        inner: Inner fold that is left out as well; -1 for none, (members,).
        seed: Seed, counted from 0, (members,).
        train: Rows that train, (members, n).
        validation: Rows left out: of the fold where ``inner`` is -1, else of the inner fold, (members, n).
        unlabelled: Rows whose inputs may be learned from, and whose labels may not, (members, n).
    """

    repeat: np.ndarray
    fold: np.ndarray
    inner: np.ndarray
    seed: np.ndarray
    train: np.ndarray
    validation: np.ndarray
    unlabelled: np.ndarray

    def __len__(self) -> int:
        return len(self.repeat)

    def __getitem__(self, index: np.ndarray) -> Members:
        return Members(*(getattr(self, f.name)[index] for f in fields(self)))

    @classmethod
    def build(
        cls,
        folds: pd.DataFrame,
        row_id: np.ndarray,
        seeds: int,
        inner_folds: int = 0,
        outer_folds: int = 0,
    ) -> Members:
        """All members of one protocol.

        Members of fold -1 train on every row, also on those whose labels a holdout hides: they are the
        predictor in use. Repeats split the rows again and need them once, so they are of repeat 0. With inner
        folds there are members of every fold and inner fold of the protocol, also of those that no row of
        the scale is in: a coarser scale that has rows there reads them.

        Args:
            folds: Rows of one protocol of a folds table.
            row_id: Rows of the scale in their order, (n,).
            seeds: Members a fold.
            inner_folds: Number of inner folds; 0 for none.
            outer_folds: Number of folds of the protocol, needed for inner ones; see `inner.count_folds`.

        Raises:
            InputError: The folds lack a row of the scale, or cannot be divided into inner ones.
        """
        keys: list[tuple[int, int, int, int]] = []
        train: list[np.ndarray] = []
        validation: list[np.ndarray] = []
        unlabelled: list[np.ndarray] = []
        for repeat in sorted(set(folds["repeat"].tolist())):
            division = RowSplit.of(folds, repeat, row_id)
            outer = range(outer_folds) if inner_folds else sorted(set(division.fold.tolist()) - {-1})
            for fold in [*[-1] * (repeat == 0), *outer]:
                rows_by_inner = [division.validation(fold)]
                if inner_folds:
                    inner, count = division.inner(fold, inner_folds, outer_folds)
                    rows_by_inner += [inner == k for k in range(count)]
                for k, held_out in enumerate(rows_by_inner, start=-1):
                    for seed in range(seeds):
                        keys.append((repeat, fold, k, seed))
                        train.append(division.train(fold) & ~held_out)
                        validation.append(held_out)
                        unlabelled.append(division.unlabelled(fold))
        if not keys:
            raise InputError("The protocol has no folds.", remedy="check its name.")
        repeats, folds_left_out, inners, numbers = np.array(keys).T
        rows = (np.array(part) for part in (train, validation, unlabelled))
        return cls(repeats, folds_left_out, inners, numbers, *rows)

    def keys(self, root: int = 0) -> np.ndarray:
        """Random seed of each member, (members,): a function of what the member is, not of its place."""
        return np.array(
            [
                np.random.SeedSequence([root, int(r), int(f) + 1, int(i) + 1, int(s)]).generate_state(1)[0]
                for r, f, i, s in zip(self.repeat, self.fold, self.inner, self.seed, strict=True)
            ]
        )

    def frame(self) -> pd.DataFrame:
        """Member, repeat, fold, inner and seed, one row a member."""
        columns = {name: getattr(self, name) for name in MEMBER_KEYS}
        return pd.DataFrame({"member": np.arange(len(self)), **columns}).astype("int32")


def hold_out(train: np.ndarray, groups: np.ndarray, share: float, keys: np.ndarray) -> np.ndarray:
    """Choose whole groups of each member's training rows to stop its training by.

    Args:
        train: Rows that train, (members, n).
        groups: Label of each row's group, (n,).
        share: Share of the rows to reach; groups are drawn until then.
        keys: Random seed of each member, (members,).

    Returns:
        Rows held out, (members, n): at least one group, and never all of them.

    Raises:
        InputError: A member trains on a single group.
    """
    _, label = np.unique(groups, return_inverse=True)
    held_out = np.zeros_like(train)
    for member, key in enumerate(keys):
        present, counts = np.unique(label[train[member]], return_counts=True)
        if len(present) < 2:
            raise InputError(
                "Early stopping holds out groups of rows, and needs two or more of them.",
                key="training.stop",
                remedy="use stop: last, or more materials.",
            )
        order = np.random.default_rng([int(key), 1]).permutation(len(present))
        group_count = np.searchsorted(np.cumsum(counts[order]), share * counts.sum()) + 1
        chosen = present[order[: min(group_count, len(present) - 1)]]
        held_out[member] = train[member] & np.isin(label, chosen)
    return held_out
