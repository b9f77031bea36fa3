"""What a kind of split is: how the rows of a scale are divided into folds, with the options of a study.

The modules of the kinds import scikit-learn where they divide rows: a study names kinds and their options
long before any row is divided, and reading it does not wait for these imports.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat.config.base import LARGEST_SEED, Seed
from nestmat.errors import InputError
from nestmat.tables import Column
from nestmat.training.inner_folds import LABELLED


@dataclass(frozen=True)
class ScaleRows:
    """The n rows of a scale that a split divides.

    Attributes:
        frame: Features in ascending order of row_id: ``material``, ``group`` where the scale has one, inputs,
            targets, and the columns that `SplitKind.columns` names.
        target: First target of the scale; None where it has none.
        file: Table of the features, for messages.
        columns: What its columns are; empty where rows are divided before they have features.
    """

    frame: pd.DataFrame
    target: str | None = None
    file: str | Path | None = None
    columns: Mapping[str, Column] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def features(self) -> list[str]:
        """Columns that are features."""
        return [name for name, column in self.columns.items() if column.role == "feature"]

    @property
    def predicts_numbers(self) -> bool:
        """Whether a target of the scale is a number, not a class."""
        return any(column.role == "target" and not column.classes for column in self.columns.values())

    def texts(self, column: str) -> NDArray[np.str_]:
        """A column as text, (n,).

        Raises:
            InputError: The features lack it.
        """
        if column not in self.frame:
            raise InputError(
                f"The features have no column {column!r}; they have {sorted(self.frame.columns)}.",
                file=self.file,
                remedy="name a category column of the data set in `splits`.",
            )
        return self.frame[column].to_numpy(str)

    def require(self, folds: int, count: int, noun: str) -> None:
        """Check that there is something to put into every fold.

        Args:
            folds: Number of folds.
            count: Number of rows, groups or materials that are divided.
            noun: What they are, in the plural.

        Raises:
            InputError: There are fewer than folds.
        """
        if count < folds:
            nouns = noun if count > 1 else noun.removesuffix("s")
            raise InputError(
                f"{count} {nouns} cannot make {folds} folds: at least {folds} are needed.",
                file=self.file,
                remedy=f"give more {noun}, or lower the number of folds."
                if count > 1
                else f"give more {noun}: no number of folds can divide a single one.",
            )


@dataclass(frozen=True)
class Division:
    """How a split divides n rows.

    Attributes:
        fold: Fold that validates each row, (n,); -1 where none does.
        role: labelled, unlabelled or unused, (n,), or one for all rows.
        together: Key of the group of each row, (n,), which is in one fold, and which inner folds keep whole;
            None where each row is a group.
    """

    fold: NDArray[np.int64]
    role: NDArray[Any] | str = LABELLED
    together: NDArray[Any] | None = None

    @property
    def groups(self) -> NDArray[Any]:
        """Key of the group of each row, (n,)."""
        return np.arange(len(self.fold)) if self.together is None else self.together


@dataclass(frozen=True)
class SplitKind(ABC):
    """A kind of split. Its fields are the options of a study.

    The class attributes and properties are what configuration, comparison, report and figures need to know.

    Example:
        >>> @dataclass(frozen=True)
        ... class Alternating(SplitKind):
        ...     fold_count = 2
        ...
        ...     def divide(self, rows, seed):
        ...         return Division(np.arange(len(rows)) % 2)
        >>> Alternating().divide(ScaleRows(pd.DataFrame({"x": [1.0, 2.0, 3.0]})), seed=0).fold
        array([0, 1, 0])
    """

    sentence: ClassVar[str] = ""
    """Template of the sentence in the report, of ``split``, ``target`` and ``seeds``: ``(seed 0)``."""
    is_shared: ClassVar[bool] = False
    """Whether all scales that have the split are divided at once, so that no material is in two folds."""
    leaves_levels_out: ClassVar[bool] = False
    """Whether each fold is a level of `fold_column` that is extrapolated to; comparisons resample levels."""

    @property
    def fold_count(self) -> int | None:
        """Number of folds; None where it is the number of levels of `fold_column`."""
        return None

    @property
    def fold_column(self) -> str | None:
        """Category column of the data set whose levels are the folds; None where no column states them."""
        return None

    @property
    def columns(self) -> tuple[str, ...]:
        """Category columns of the data set that the split reads."""
        return () if self.fold_column is None else (self.fold_column,)

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """Seed of every repeat, (repeats,)."""
        return (0,)

    @property
    def test_rows(self) -> tuple[Any, ...] | None:
        """What decides which rows are test rows; None where every row is validated once."""
        return None

    @property
    def without_labelled_share(self) -> SplitKind | None:
        """The split but for the share of its rows that are labelled; None where no label can be hidden."""
        return None

    @abstractmethod
    def divide(self, rows: ScaleRows, seed: int) -> Division:
        """Divide the rows of one scale.

        Args:
            rows: The rows.
            seed: Seed of all that is random.

        Raises:
            InputError: The split cannot be made of these rows.
        """

    def divide_scales(self, scales: Sequence[ScaleRows], seed: int) -> list[Division]:
        """Divide the rows of the scales that share the split, or of a single scale.

        Args:
            scales: The rows of each.
            seed: Seed of all that is random.

        Raises:
            InputError: The split cannot be made of these rows.
        """
        return [self.divide(rows, seed) for rows in scales]


@dataclass(frozen=True)
class FoldsByNumber(SplitKind):
    """A split into a number of folds, drawn at random.

    Attributes:
        folds: Number of folds.
        seed: Seed of the split.
        repeats: Further seeds, reported as repeats; choose nothing on them.
    """

    folds: int = field(metadata={"gt": 1, "le": 1000})
    seed: int = field(default=0, metadata={"ge": 0, "le": LARGEST_SEED})
    repeats: tuple[Seed, ...] = ()

    @property
    def fold_count(self) -> int:  # noqa: D102
        return self.folds

    @property
    def all_seeds(self) -> tuple[int, ...]:  # noqa: D102
        return (self.seed, *self.repeats)


def number_folds(divisions: Iterable[tuple[Any, Any]], count: int) -> NDArray[np.int64]:
    """Fold of each of some rows from the pairs of a splitter of scikit-learn.

    Args:
        divisions: Positions of the rows that train and of those that validate, for each fold.
        count: Number of rows.
    """
    folds = np.full(count, -1, dtype=np.int64)
    for fold, (_, validation) in enumerate(divisions):
        folds[validation] = fold
    return folds
