"""Whether every member of a protocol has rows enough to train on.

Members leave out a fold, those of a stack another one or an inner fold besides, and regions. What they leave
is known as soon as rows are divided: here it is held against the least number of rows that every estimator
can be fitted to, long before the first of them is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat.config.study import Study
from nestmat.data.targets import class_targets
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
FEWEST_OF_CLASS = 2
"""Rows of each class among them: one to learn from and one to tune on."""
MOST_MATERIALS_TRIED = 100
"""Numbers of materials that are tried to find one that is enough."""


@dataclass(frozen=True)
class TrainingUse:
    """What is trained on the rows of a scale in a protocol.

    Attributes:
        stacked: Whether members leave out pairs of folds or inner folds, and regions, for a stack.
        classes: Classes of the targets that baselines learn, by target; empty where none does.
    """

    stacked: bool
    classes: Mapping[str, Sequence[str]]

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


def training_uses(study: Study) -> dict[str, dict[str, TrainingUse]]:
    """What a study trains, by scale and protocol."""
    uses: dict[str, dict[str, TrainingUse]] = {}
    for name, scale in study.scales.items():
        classes, uses[name] = class_targets(study, name), {}
        for protocol in scale.protocols:
            models = (model for model in scale.models if protocol in scale.runs(model))
            stacked = bool(scale.stacked_in(protocol))
            stacked |= any(study.serves_stack(name, model, protocol) for model in models)
            learned = classes if any(protocol in scale.runs(baseline) for baseline in scale.baselines) else {}
            uses[name][protocol] = TrainingUse(stacked, learned)
    return uses


def shortages(
    split: RowSplit,
    members: Sequence[tuple[int, int]],
    frame: pd.DataFrame,
    targets: Sequence[str],
    classes: Mapping[str, Sequence[str]],
) -> Iterator[tuple[tuple[int, int], Shortage]]:
    """Members that have too few rows to train on, and what they lack.

    Args:
        split: How rows are divided.
        members: Fold, and other fold, inner fold or region, of each member.
        frame: The rows, with their targets.
        targets: Columns that are predicted.
        classes: Classes of those that are classes.
    """
    labels = {target: frame[target].to_numpy(np.float64) for target in targets}
    for member in members:
        trains = split.train(*member)
        if not labels and trains.sum() < FEWEST_ROWS:
            yield member, Shortage(int(trains.sum()), FEWEST_ROWS)
        for target, values in labels.items():
            rows = values[trains & np.isfinite(values)]
            if len(rows) < FEWEST_ROWS:
                yield member, Shortage(len(rows), FEWEST_ROWS)
            for number, name in enumerate(classes.get(target, ())):
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
        raise _too_few(split, frame, key, "too few are left beside a fold to learn a stack on inner folds")
    members += split.inner_members() if use.stacked else []
    for (_, inner), shortage in shortages(split, members, frame, targets, use.classes):
        pair = f"two of {split.folds} folds" if split.has_pairs else "a fold and an inner fold"
        without = f"without {'a fold' if inner < 0 else pair}"
        if not shortage.target:
            reason = f"{without} {shortage.rows} rows are left to train on, and {shortage.needed} are needed"
            raise _too_few(split, frame, key, reason)
        materials = frame.loc[frame[shortage.target] == use.number(shortage), "material"].nunique()
        raise InputError(
            f"The class has too few rows, of {materials} materials: {without} {shortage.rows} of them are left "
            f"to train on, and {shortage.needed} are needed.",
            column=shortage.target,
            value=shortage.name,
            key=key,
            remedy="give more materials of the class, join it with another one, or take its rows out.",
        )


def _too_few(split: RowSplit, frame: pd.DataFrame, key: str, reason: str) -> InputError:
    """The error of a protocol with too few rows, which states how many materials are enough."""
    sizes = frame["material"].value_counts().to_numpy()
    noun = "materials" if (frame["formula"] != "").any() else "rows"
    enough = None
    if split.folds > 1:
        enough = fewest_materials(split.folds, split.inner_folds or 4, stacked=True, rows=float(sizes.mean()))
    fewest = f": at least {max(enough, len(sizes) + 1)} are needed" if enough else ""
    return InputError(
        f"{len(sizes)} {noun} are too few{fewest}; {reason}.",
        key=key,
        value=f"{split.folds} folds",
        remedy=f"give more {noun}.",
    )


def fewest_materials(folds: int, inner_folds: int, stacked: bool, rows: float = 1.0) -> int | None:
    """Least number of materials of equal size that a split into folds is possible for.

    Args:
        folds: Number of folds.
        inner_folds: Number of inner folds where folds make no pairs.
        stacked: Whether a stack is learned.
        rows: Rows of a material.

    Returns:
        The number; None where none of those that are tried is enough.

    Example:
        >>> fewest_materials(5, 4, stacked=True), fewest_materials(2, 4, stacked=True)
        (5, 8)
        >>> fewest_materials(3, 4, stacked=True, rows=20.0)
        6
    """
    for count in range(folds, folds + MOST_MATERIALS_TRIED):
        sizes = np.full(count, max(round(rows), 1))
        if suits(divide_materials(sizes, folds, inner_folds), sizes, stacked):
            return count
    return None


def divide_materials(sizes: NDArray[np.int64], folds: int, inner_folds: int, seed: int = 0) -> RowSplit:
    """Folds of materials as ``strict`` makes them, one row a material.

    Args:
        sizes: Rows of each material, (materials,).
        folds: Number of folds, at most that of materials.
        inner_folds: Number of inner folds, where folds make no pairs.
        seed: Seed of the split.
    """
    fold = balanced_folds(sizes[:, None], folds, np.random.default_rng(seed))
    inner = None
    if folds < FEWEST_FOLDS_OF_PAIRS:
        inner = deal_inner_folds([np.arange(len(sizes))], [fold], inner_folds, seed)
    dealt = np.full(len(sizes), -1) if inner is None else inner[0]
    role = np.full(len(sizes), LABELLED)
    return RowSplit(0, fold, role, dealt, folds, 0 if inner is None else inner_folds)


def suits(split: RowSplit, sizes: NDArray[np.int64], stacked: bool) -> bool:
    """Whether every member of a split of materials, one row a material, trains on rows enough.

    Args:
        split: The split.
        sizes: Rows of each material, (materials,).
        stacked: Whether a stack is learned.
    """
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
        for (_, inner), _ in shortages(split, split.extrapolating_members(), frame, predicted, use.classes):
            bare |= 1 << (inner - first)
    return [replace(split, regions=split.regions & ~bare) for split in splits] if bare else [*splits]
