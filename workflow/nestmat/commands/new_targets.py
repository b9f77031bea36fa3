"""Targets of a first study, as the command line names them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from nestmat.errors import InputError
from nestmat.models.specification import fitting_losses

CLASS, COUNT = "class", "count"
"""What stands in place of a unit where numbers are names of classes, or counts."""
DECADE = 10.0
"""Least ratio of the largest to the smallest value of a target whose logarithm a head learns."""
FEWEST_ROWS = 10
"""Rows that a class needs: half of them to learn from in any fold, and others to be measured on."""


class TargetColumn(Protocol):
    """A column of the table that may be a target.

    Attributes:
        name: Header.
        kind: number, category or text.
        levels: Distinct cells with their number of rows; of many none.
        is_binary: Whether the cells are 0 and 1.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def levels(self) -> Mapping[str, int]: ...  # noqa: D102
    @property
    def is_binary(self) -> bool: ...  # noqa: D102


def classes_of(column: TargetColumn, unit: str) -> Sequence[str]:
    """Names of the classes of a target; none where it is a number.

    Args:
        column: Its column.
        unit: What is asked for as its unit; `CLASS` where its numbers are names.
    """
    if column.is_binary and unit in ("", CLASS):
        return "0", "1"
    is_class = column.kind == "category" or (unit == CLASS and column.kind == "number")
    return tuple(column.levels) if is_class else ()


def is_skewed(values: Sequence[float]) -> bool:
    """Whether a head learns the logarithm of a target, and not the target.

    It does so where all values are positive, span a decade or more, and their logarithms are more probable
    under a normal distribution (Box & Cox, J. R. Stat. Soc. B 26, 211 (1964)), by which baselines with
    ``transform: chosen`` decide too before they compare errors.

    Args:
        values: Values of the target.

    Example:
        >>> is_skewed([0.01, 0.03, 0.1, 0.4, 1.0, 3.0]), is_skewed([1.0, 1.1, 1.2, 1.3])
        (True, False)
    """
    if not values or min(values) <= 0 or max(values) < DECADE * min(values):
        return False
    from scipy.stats import boxcox_llf

    return bool(boxcox_llf(0.0, values) > boxcox_llf(1.0, values))


def head_of(column: TargetColumn, unit: str, values: Sequence[float]) -> dict[str, str]:
    """Loss of the head of a target, and what it learns of the target.

    Args:
        column: Its column.
        unit: What is asked for as its unit.
        values: Its values, where they are numbers.
    """
    if names := classes_of(column, unit):
        return {"loss": fitting_losses(len(names))[0]}
    if unit == COUNT:
        return {"loss": "poisson"}
    return {"loss": "mae", **({"transform": "log"} if is_skewed(values) else {})}


def check_counts(column: TargetColumn, values: Sequence[float], data: Path) -> None:
    """Check that the values of a target are counts.

    Args:
        column: Its column.
        values: Its values.
        data: The table, for messages.

    Raises:
        InputError: A value is negative or no whole number.
    """
    if wrong := [value for value in values if value < 0 or value != int(value)]:
        raise InputError(
            "The target is asked for as a count, and has a value that counts nothing.",
            file=data,
            column=column.name,
            value=wrong[0],
            remedy="correct the value, or give the unit in place of `count`.",
        )


def check_class_sizes(column: TargetColumn, data: Path) -> None:
    """Check that a target has two classes or more, with enough rows each.

    Args:
        column: Its column.
        data: The table, for messages.

    Raises:
        InputError: There is one class, or too many to be classes, or a class has too few rows.
    """
    if len(column.levels) < 2:
        raise InputError(
            "The target has a single class, or too many different values to be classes.",
            file=data,
            column=column.name,
            remedy="choose another target, or give its unit in place of `class`.",
        )
    for level, rows in column.levels.items():
        if rows < FEWEST_ROWS:
            raise InputError(
                f"The class has {rows} rows, too few to learn it and to measure how well.",
                file=data,
                column=column.name,
                value=level,
                remedy=f"give {FEWEST_ROWS} rows or more, join it with another class, or take its rows out.",
            )


class NamedTarget(NamedTuple):
    """A target as it is asked for.

    Attributes:
        column: Its column.
        unit: Its unit, if an empty one.
        uncertainty: Column of its standard uncertainties; empty where none is named.
    """

    column: str
    unit: str = ""
    uncertainty: str = ""


def parse_target(text: str, columns: Collection[str]) -> NamedTarget:
    """A target with its unit and the column of its uncertainties, which follow after colons.

    Args:
        text: ``gap``, ``gap:eV`` or ``gap:eV:gap_error``; a column may have a colon in its name.
        columns: Columns of the table.

    Returns:
        The target; the whole text is its column where no column of the table fits.

    Example:
        >>> parse_target("gap:eV:error", ["gap", "error"])
        NamedTarget(column='gap', unit='eV', uncertainty='error')
        >>> parse_target("a:b:eV", ["a:b"])
        NamedTarget(column='a:b', unit='eV', uncertainty='')
    """
    if text in columns:
        return NamedTarget(text)
    column, _, unit = text.rpartition(":")
    if column in columns:
        return NamedTarget(column, unit)
    column, _, unit = column.rpartition(":")
    return NamedTarget(column, unit, text.rpartition(":")[2]) if column in columns else NamedTarget(text)
