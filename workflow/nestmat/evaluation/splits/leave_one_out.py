"""One fold a level of a column: extrapolation to a new level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nestmat.errors import InputError
from nestmat.evaluation.splits.base import Division, ScaleRows, SplitKind
from nestmat.evaluation.splits.registry import SPLITS


@SPLITS.register("leave_one_out")
@dataclass(frozen=True)
class LeaveOneOut(SplitKind):
    """One fold a level of a column, such as a solvent.

    Attributes:
        column: Category column whose levels are left out in turn.
    """

    sentence: ClassVar[str] = (
        "Each {{ split.column | humanize_key }} in turn is left out of training and predicted: extrapolation "
        "to a new one."
    )
    leaves_levels_out: ClassVar[bool] = True

    column: str

    @property
    def fold_column(self) -> str:  # noqa: D102
        return self.column

    def divide(self, rows: ScaleRows, seed: int) -> Division:  # noqa: D102
        levels, fold = np.unique(rows.texts(self.column), return_inverse=True)
        if len(levels) < 2:
            raise InputError(
                f"Column {self.column!r} has one level only: nothing is left to train on.", file=rows.file
            )
        together = rows.frame.groupby([self.column, "material"], sort=False).ngroup()
        return Division(fold, together=together.to_numpy())
