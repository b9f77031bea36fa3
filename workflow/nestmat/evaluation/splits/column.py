"""Folds that a column of the data set states."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nestmat.config.splits import check_fold_column
from nestmat.data.columns import NOT_STATED
from nestmat.errors import InputError
from nestmat.evaluation.splits.base import Division, ScaleRows, SplitKind
from nestmat.evaluation.splits.registry import SPLITS


@SPLITS.register("column")
@dataclass(frozen=True)
class Column(SplitKind):
    """Your own folds: rows of one value of a column are one fold.

    Attributes:
        column: Category column that states the fold of each row.
    """

    sentence: ClassVar[str] = "The column {{ split.column | humanize_key }} states the fold of each row."

    column: str

    def __post_init__(self) -> None:
        check_fold_column(self.column)

    @property
    def fold_column(self) -> str:  # noqa: D102
        return self.column

    def divide(self, rows: ScaleRows, seed: int) -> Division:
        """Divide the rows by the values of the column.

        Raises:
            InputError: The features lack the column, or it states one fold only, or not that of every row.
        """
        stated = stated_folds(rows, self.column)
        together = rows.frame.groupby([self.column, "material"], sort=False).ngroup()
        return Division(fold_numbers(stated, order_folds(stated)), together=together.to_numpy())


def stated_folds(rows: ScaleRows, column: str) -> np.ndarray:
    """What a column states of each row, (n,).

    Args:
        rows: The rows.
        column: Name of the column.

    Raises:
        InputError: The features lack the column, or it states one fold only, or not that of every row.
    """
    stated = rows.texts(column)
    values = set(stated.tolist())
    if NOT_STATED in values:
        raise InputError(
            f"The column does not state the fold of {np.sum(stated == NOT_STATED)} rows.",
            file=rows.file,
            column=column,
            row=int(rows.frame["row_id"].to_numpy()[stated == NOT_STATED][0]),
            remedy="fill it in, or leave out missing: level to reject these rows.",
        )
    if len(values) < 2:
        raise InputError(
            "The column states one fold only: nothing is left to train on.",
            file=rows.file,
            column=column,
            value=next(iter(values), None),
            remedy="state two folds or more.",
        )
    return stated


def order_folds(stated: Iterable[str]) -> list[str]:
    """Distinct folds in ascending order, of numbers if all are: fold 10 after fold 9.

    Example:
        >>> order_folds(["10", "9", "10"]), order_folds(["b", "a", "10"])
        (['9', '10'], ['10', 'a', 'b'])
    """
    values = set(stated)
    if all(value.isdecimal() for value in values):
        return sorted(values, key=lambda value: (int(value), value))
    return sorted(values)


def fold_numbers(stated: np.ndarray, folds: list[str]) -> np.ndarray:
    """Number of the fold of each row, (n,), counted from 0.

    Args:
        stated: What the column states, (n,).
        folds: All folds in their order.
    """
    number = {fold: k for k, fold in enumerate(folds)}
    return np.array([number[value] for value in stated.tolist()], dtype=np.int64)
