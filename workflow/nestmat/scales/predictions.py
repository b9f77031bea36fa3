"""Tables of what the models of a scale predict, and the names of columns that hold a prediction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from nestmat import tables
from nestmat.training.inner_folds import EXTRAPOLATED, INNER

ENSEMBLE = -1
"""Seed of rows that hold the ensemble over all seeds."""
NORMAL_95 = 1.959964
"""Standard deviations from the mean to an end of the 95 % interval, with six digits."""
STATISTICS = ("mean", "std")
"""What is predicted of a quantity: mean and standard deviation."""


def mean_column(quantity: str) -> str:
    """Column with the predicted mean of a quantity, in tables with a row a material.

    Example:
        >>> mean_column("gap")
        'gap.mean'
    """
    return f"{quantity}.mean"


def std_column(quantity: str) -> str:
    """Column with the predicted standard deviation of a quantity, in tables with a row a material."""
    return f"{quantity}.std"


def statistic_column(quantity: str, statistic: str) -> str:
    """Column with a statistic of a predicted quantity, in tables with a row a material.

    Example:
        >>> statistic_column("gap", "low")
        'gap.low'
    """
    return f"{quantity}.{statistic}"


def quantity_of(column: str) -> tuple[str, str] | None:
    """Quantity and statistic of a column that `mean_column` or `std_column` names; None of any other.

    Example:
        >>> quantity_of("electronic.gap.std"), quantity_of("formula")
        (('electronic.gap', 'std'), None)
    """
    quantity, _, statistic = column.rpartition(".")
    return (quantity, statistic) if quantity and statistic in STATISTICS else None


@dataclass(frozen=True)
class Predictions:
    """Predictions of the models of a scale, one row for each row of the data set, target, member and split.

    Attributes:
        frame: `nestmat.tables.PREDICTIONS`.

    Example:
        >>> frame = pd.DataFrame({"target": "gap", "seed": [0, -1], "mean": [1.2, 1.0], "true": 1.5})
        >>> Predictions(frame).ensemble.errors.tolist()
        [0.5]
    """

    frame: pd.DataFrame

    @classmethod
    def read(cls, files: Iterable[str | Path], **equal: Any) -> Predictions:
        """Read files of predictions, those rows where the named columns have the given values."""
        return cls(pd.concat([tables.read(path, **equal) for path in files], ignore_index=True))

    def where(self, **equal: Any) -> Predictions:
        """The rows where the named columns have the given values: ``where(target="gap", seed=0)``."""
        keep = pd.Series(True, index=self.frame.index)
        for column, value in equal.items():
            keep &= self.frame[column] == value
        return Predictions(self.frame[keep])

    @property
    def ensemble(self) -> Predictions:
        """Those of the ensemble over the seeds."""
        return self.where(seed=ENSEMBLE)

    @property
    def held_out(self) -> Predictions:
        """Those of rows that a fold holds out, by members that were trained on all rows outside the fold."""
        frame = self.frame
        return Predictions(frame[(frame["fold"] >= 0) & (frame["inner"] < 0)]).where(split="validation")

    def inside_training_rows(self, fold: int) -> Predictions:
        """Predictions that the stack of a fold learns on, one for each row, in one repeat and of one target.

        They are of rows outside the fold, by members that left out the fold and these rows. For the predictor
        in use, fold -1, each row is predicted by the members that left it out and trained on most others:
        those of its fold, or those of its inner fold where no fold validates it.

        Args:
            fold: Fold of the protocol; -1 for the predictor in use.
        """
        if fold >= 0:
            return self.where(fold=fold, split=INNER)
        validated = self.held_out.frame
        inner = self.where(split=INNER).frame
        not_validated = inner[~inner["row_id"].isin(validated["row_id"])]
        return Predictions(pd.concat([validated, not_validated]))

    def extrapolated(self, fold: int) -> Predictions:
        """Predictions of the regions that members left out whole, in one repeat and of one target.

        Args:
            fold: Fold that they left out as well; -1 for all.
        """
        of_regions = self.where(split=EXTRAPOLATED)
        return of_regions.where(fold=fold) if fold >= 0 else of_regions

    @property
    def mean(self) -> pd.Series:
        """Predicted mean."""
        return self.frame["mean"]

    @property
    def std(self) -> pd.Series:
        """Predicted standard deviation; NaN where the model states none."""
        return self.frame["std"]

    @property
    def true(self) -> pd.Series:
        """Value in the data set."""
        return self.frame["true"]

    @property
    def errors(self) -> pd.Series:
        """Absolute error of the mean."""
        return (self.mean - self.true).abs()

    def by_row(self, row_id: Iterable[int]) -> pd.DataFrame:
        """Mean and standard deviation of rows of the data set, in their order; one prediction each.

        Args:
            row_id: Keys of the rows.
        """
        return self.frame.set_index("row_id").loc[list(row_id), list(STATISTICS)]
