"""Members: the copies of a model, one a repeat, fold, pair of folds and seed, and the rows of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

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

INNER_SEEDS = 2
"""Most members that leave out the same pair, inner fold or region: a stack learns from them, and nothing is
predicted by them."""


@dataclass(frozen=True)
class Members:
    """Copies of a model and their rows.

    Attributes:
        repeat: Repeat of the protocol, (members,).
        fold: Fold that is left out; -1 where every row trains, (members,).
        inner: Other fold of a pair, inner fold or region that is left out as well; -1 for none, (members,).
        seed: Seed, counted from 0, (members,).
        train: Rows that train, (members, n).
        validation: Rows left out and predicted; see `RowSplit.held_out`, (members, n).
        unlabelled: Rows whose inputs may be learned from, and whose labels may not, (members, n).
        splits: How each repeat divides the rows, by its number.
    """

    repeat: np.ndarray
    fold: np.ndarray
    inner: np.ndarray
    seed: np.ndarray
    train: np.ndarray
    validation: np.ndarray
    unlabelled: np.ndarray
    splits: Mapping[int, RowSplit] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.repeat)

    def __getitem__(self, index: np.ndarray) -> Members:
        arrays = {f.name: getattr(self, f.name)[index] for f in fields(self) if f.name != "splits"}
        return replace(self, **arrays)

    @classmethod
    def build(cls, splits: Sequence[RowSplit], seeds: int, stacked: bool = False) -> Members:
        """All members of one protocol.

        Members of fold -1 train on every row, also on those whose labels a holdout hides: they are the
        predictor in use. Repeats split the rows again and need them once, so they are of repeat 0. Of a model
        that serves a stack there are members of every fold, pair, inner fold and region of the protocol, also
        of those that no row of the scale is in: a coarser scale that has rows there reads them.

        Args:
            splits: How the repeats of the protocol divide the rows.
            seeds: Members a fold; at most `INNER_SEEDS` of them leave out a pair, inner fold or region.
            stacked: Whether a stack learns on rows held out inside the training rows.

        Raises:
            InputError: There is no split, or the rows that train cannot be divided.
        """
        keys: list[tuple[int, int, int, int]] = []
        train: list[np.ndarray] = []
        validation: list[np.ndarray] = []
        unlabelled: list[np.ndarray] = []
        for split in splits:
            folds = range(split.folds) if stacked else sorted(set(split.fold.tolist()) - {-1})
            members = [(-1, -1)] * (split.repeat == 0) + [(fold, -1) for fold in folds]
            if stacked:
                members += [*split.inner_members(), *split.extrapolating_members()]
            for fold, inner in members:
                trained = split.train(fold, inner)
                if not trained.any():
                    raise InputError(
                        f"No row is left to train on without those of fold {fold} and of fold {inner}.",
                        key="recommended",
                        remedy="give more materials, or keep a member of the stack out of the protocol.",
                    )
                for seed in range(seeds if inner < 0 else min(seeds, INNER_SEEDS)):
                    keys.append((split.repeat, fold, inner, seed))
                    train.append(trained)
                    validation.append(np.any([*split.held_out(fold, inner).values()], axis=0))
                    unlabelled.append(split.unlabelled(fold))
        if not keys:
            raise InputError("The protocol has no folds.", remedy="check its name.")
        repeats, left_out, inners, numbers = np.array(keys).T
        return cls(
            repeat=repeats,
            fold=left_out,
            inner=inners,
            seed=numbers,
            train=np.array(train),
            validation=np.array(validation),
            unlabelled=np.array(unlabelled),
            splits={split.repeat: split for split in splits},
        )

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
