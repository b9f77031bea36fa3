"""Folds in which the target is distributed alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from nestmat.errors import InputError
from nestmat.evaluation.splits.base import Division, FoldsByNumber, ScaleRows, number_folds
from nestmat.evaluation.splits.registry import SPLITS


@SPLITS.register("stratified")
@dataclass(frozen=True)
class Stratified(FoldsByNumber):
    """StratifiedKFold of scikit-learn on quantile bins of the first target.

    Attributes:
        quantiles: Number of quantile bins.
    """

    sentence: ClassVar[str] = (
        "Rows are divided into {{ split.folds }} folds, stratified on {{ split.quantiles }} quantile bins of "
        '{{ target or "the target" }} {{ seeds }}.'
    )

    quantiles: int = field(default=10, metadata={"gt": 1})

    def divide(self, rows: ScaleRows, seed: int) -> Division:  # noqa: D102
        from sklearn.model_selection import StratifiedKFold

        if rows.target is None:
            raise InputError(
                "A stratified split needs a target.", file=rows.file, remedy="give the scale a target."
            )
        values = rows.frame[rows.target].to_numpy(np.float64)
        edges = np.nanquantile(values, np.arange(1, self.quantiles) / self.quantiles)
        bins = np.digitize(values, edges)
        if (smallest := np.bincount(bins)[np.unique(bins)].min()) < self.folds:
            raise InputError(
                f"{self.quantiles} bins of target {rows.target!r} leave {smallest} rows in the smallest, too "
                f"few for {self.folds} folds.",
                file=rows.file,
                column=rows.target,
                remedy="use fewer folds or fewer quantiles.",
            )
        splitter = StratifiedKFold(self.folds, shuffle=True, random_state=seed)
        return Division(number_folds(splitter.split(bins, bins), len(rows)))
