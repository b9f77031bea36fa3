"""Targets of a first study, as the command line names them."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple


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
