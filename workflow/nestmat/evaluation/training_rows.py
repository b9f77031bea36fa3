"""Whether every member of a protocol has rows enough to train on.

Members leave out a fold, those of a stack another one or an inner fold besides, and regions. What they leave
is known as soon as rows are divided: here it is held against the least number of rows that every estimator
can be fitted to, long before the first of them is.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat.errors import InputError
from nestmat.training.inner_folds import (
    FEWEST_FOLDS_OF_PAIRS,
    LABELLED,
    RowSplit,
    balanced_folds,
    deal_inner_folds,
)

FEWEST_ROWS = 3
"""Rows that a member trains on at least: estimators that tune themselves divide them again."""
FEWEST_OF_NETWORKS = 2
"""Rows that a network needs, where no estimator is fitted."""
FEWEST_OF_CLASS = 2
"""Rows of each class among them: one to learn from and one to tune on."""
USUAL_FOLDS = 5
"""Folds of a study that states none."""
INNER_FOLDS = 4
"""Inner folds of a study that states none."""


@dataclass(frozen=True)
class TrainingUse:
    """What is trained on the rows of a scale in a protocol.

    Attributes:
        stacked: Whether members leave out pairs of folds or inner folds, and regions, for a stack.
        classes: Classes of the targets that baselines learn, by target; empty where none does.
        fewest: Rows that a member needs.
    """

    stacked: bool
    classes: Mapping[str, Sequence[str]]
    fewest: int = FEWEST_ROWS

    def number(self, shortage: Shortage) -> int:
        """Number that stands for the class that is short of rows."""
        return [*self.classes[shortage.target]].index(shortage.name)


@dataclass(frozen=True)
class Shortage:
    """What a member lacks.

    Attributes:
        rows: Rows of all, or of a class, that it would train on.
        needed: Rows that it needs.
        target: Target with the class; empty where it is rows of any.
        name: Class.
    """

    rows: int
    needed: int
    target: str = ""
    name: str = ""


def shortages(
    split: RowSplit,
    members: Sequence[tuple[int, int]],
    frame: pd.DataFrame,
    targets: Sequence[str],
    use: TrainingUse,
) -> Iterator[tuple[tuple[int, int], Shortage]]:
    """Members that have too few rows to train on, and what they lack.

    Args:
        split: How rows are divided.
        members: Fold, and other fold, inner fold or region, of each member.
        frame: The rows, with their targets.
        targets: Columns that are predicted.
        use: What is trained.
    """
    labels = {target: frame[target].to_numpy(np.float64) for target in targets}
    for member in members:
        trains = split.train(*member)
        if not labels and trains.sum() < use.fewest:
            yield member, Shortage(int(trains.sum()), use.fewest)
        for target, values in labels.items():
            rows = values[trains & np.isfinite(values)]
            if len(rows) < use.fewest:
                yield member, Shortage(len(rows), use.fewest)
            for number, name in enumerate(use.classes.get(target, ())):
                if (count := int((rows == number).sum())) < FEWEST_OF_CLASS:
                    yield member, Shortage(count, FEWEST_OF_CLASS, target, name)


def require_training_rows(
    split: RowSplit, frame: pd.DataFrame, targets: Sequence[str], use: TrainingUse, key: str
) -> None:
    """Check that every member has rows enough to train on.

    Args:
        split: How rows are divided.
        frame: The rows: ``material``, and the targets.
        targets: Columns that are predicted.
        use: What is trained.
        key: Key of the protocol in the study, for messages.

    Raises:
        InputError: Naming the number of materials or rows that there are, and that are enough.
    """
    members = [(fold, -1) for fold in np.unique(split.fold[split.fold >= 0]).tolist()]
    if use.stacked and not split.divides_training_rows:
        raise _too_few(split, frame, use, key, "too few are left beside a fold to be dealt into inner folds")
    members += split.inner_members() if use.stacked else []
    for (_, inner), shortage in shortages(split, members, frame, targets, use):
        pair = f"two of {split.folds} folds" if split.has_pairs else "a fold and an inner fold"
        without = f"without {'a fold' if inner < 0 else pair}"
        if not shortage.target:
            reason = f"{without} {shortage.rows} rows are left to train on, and {shortage.needed} are needed"
            raise _too_few(split, frame, use, key, reason)
        materials = frame.loc[frame[shortage.target] == use.number(shortage), "material"].nunique()
        raise InputError(
            f"The class has too few rows, of {materials} materials: {without} {shortage.rows} of them are "
            f"left to train on, and {shortage.needed} are needed.",
            column=shortage.target,
            value=shortage.name,
            key=key,
            remedy="give more materials of the class, join it with another one, or take its rows out.",
        )


def _too_few(split: RowSplit, frame: pd.DataFrame, use: TrainingUse, key: str, reason: str) -> InputError:
    """The error of a protocol with too few rows, which states how many materials are enough."""
    sizes = np.asarray(frame["material"].value_counts(), dtype=np.int64)
    noun = "materials" if (frame["formula"] != "").any() else "rows"
    folds, fewest = suitable_folds(sizes, use.stacked), fewest_materials(float(sizes.mean()), use.stacked)
    enough = f": at least {fewest} are needed" if len(sizes) < fewest else ""
    return InputError(
        f"{len(sizes)} {noun if len(sizes) > 1 else noun[:-1]} are too few{enough}; {reason}.",
        key=key,
        value=f"{split.folds} folds" if split.folds > 1 else None,
        remedy=f"give more {noun}" + (f", or divide them into {folds} folds." if folds else "."),
    )


def suitable_folds(sizes: NDArray[np.int64], stacked: bool = True) -> int | None:
    """Number of folds that materials are divided into, `USUAL_FOLDS` or as many as there are.

    Args:
        sizes: Rows of each material, (materials,).
        stacked: Whether a stack is learned.

    Returns:
        The largest number that leaves every member rows enough to train on; None where none does.

    Example:
        >>> suitable_folds(np.ones(60)), suitable_folds(np.ones(4)), suitable_folds(np.full(4, 15))
        (5, None, 4)
    """
    for folds in range(min(USUAL_FOLDS, len(sizes)), 1, -1):
        if _suits(_divide_materials(sizes, folds), sizes, stacked):
            return folds
    return None


def fewest_materials(rows: float = 1.0, stacked: bool = True) -> int:
    """Least number of materials of equal size that can be divided into folds.

    Args:
        rows: Rows of a material.
        stacked: Whether a stack is learned.

    Example:
        >>> fewest_materials(), fewest_materials(20.0), fewest_materials(stacked=False)
        (5, 4, 4)
    """
    size = max(round(rows), 1)
    return next(n for n in itertools.count(2) if suitable_folds(np.full(n, size), stacked))


def _divide_materials(sizes: NDArray[np.int64], folds: int) -> RowSplit:
    """Folds of materials as ``strict`` makes them, one row a material."""
    fold = balanced_folds(sizes[:, None], folds, np.random.default_rng(0))
    inner = None
    if folds < FEWEST_FOLDS_OF_PAIRS:
        inner = deal_inner_folds([np.arange(len(sizes))], [fold], INNER_FOLDS, 0)
    dealt = np.full(len(sizes), -1) if inner is None else inner[0]
    role = np.full(len(sizes), LABELLED)
    return RowSplit(0, fold, role, dealt, folds, 0 if inner is None else INNER_FOLDS)


def _suits(split: RowSplit, sizes: NDArray[np.int64], stacked: bool) -> bool:
    """Whether every member of a split of materials, one row a material, trains on rows enough."""
    if stacked and not split.divides_training_rows:
        return False
    members = [(fold, -1) for fold in range(split.folds)]
    members += split.inner_members() if stacked else []
    return all(sizes[split.train(*member)].sum() >= FEWEST_ROWS for member in members)


def without_bare_regions(
    splits: Sequence[RowSplit],
    frames: Sequence[pd.DataFrame],
    targets: Sequence[Sequence[str]],
    uses: Sequence[TrainingUse],
) -> list[RowSplit]:
    """Splits of the scales of a protocol without the regions that leave a member too few rows.

    No row is of such a region any more, at any scale: all scales have as many regions.

    Args:
        splits: How the rows of each scale are divided.
        frames: The rows of each.
        targets: Columns that each predicts.
        uses: What each trains.
    """
    bare = 0
    for split, frame, predicted, use in zip(splits, frames, targets, uses, strict=True):
        first = min((inner for _, inner in split.extrapolating_members()), default=0)
        for (_, inner), _ in shortages(split, split.extrapolating_members(), frame, predicted, use):
            bare |= 1 << (inner - first)
    return [replace(split, regions=split.regions & ~bare) for split in splits] if bare else [*splits]
