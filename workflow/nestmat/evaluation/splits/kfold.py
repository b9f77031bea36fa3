"""Folds of rows that are drawn at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nestmat.evaluation.splits.base import Division, FoldsByNumber, ScaleRows, number_folds
from nestmat.evaluation.splits.registry import SPLITS


@SPLITS.register("kfold")
@dataclass(frozen=True)
class RandomFolds(FoldsByNumber):
    """KFold of scikit-learn on rows."""

    sentence: ClassVar[str] = (
        "Rows are divided at random into {{ split.folds }} folds {{ seeds }}. Rows of one material may fall "
        "into several folds."
    )

    def divide(self, rows: ScaleRows, seed: int) -> Division:  # noqa: D102
        from sklearn.model_selection import KFold

        rows.require(self.folds, len(rows), "rows")
        splitter = KFold(self.folds, shuffle=True, random_state=seed)
        return Division(number_folds(splitter.split(rows.frame), len(rows)))
