"""What a first study says of the table: cells without a value, odd cells, and columns that it leaves out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from nestmat.commands.new_columns import Table, TableColumn
from nestmat.data.sentinels import suspected_sentinels

_SHOWN = 3
_LISTED = 12


def remarks_on_columns(table: Table, used: Sequence[TableColumn]) -> Iterator[str]:
    """Sentences about the cells of the columns that the study reads."""
    for column in used:
        yield from _faults(table, column)
        if column.missing:
            yield f"{column.name!r} has no value in {_rows(column.missing)}, rejected."
        for cell, (row, count) in column.spelled.items():
            yield (
                f"{column.name!r}: {cell!r} stands for no value in {_rows(count)}, the first is "
                f"{_line(table, row)} (missing_values)."
            )
        if column.kind == "number":
            for value, rows, first in suspected_sentinels(column.values):
                yield (
                    f"{column.name!r}: {value:g} in {_rows(rows)}, the first is {_line(table, first)}, looks "
                    f"like a missing value. If it is one, add `sentinels: [{value:g}]` to the column."
                )
        if column.kind == "category":
            yield from _spellings(column)


def _faults(table: Table, column: TableColumn) -> Iterator[str]:
    """Cells for which rows are rejected."""
    for fault in column.faults[:_SHOWN]:
        line = _line(table, fault.row)
        yield f"{column.name!r}, {line}: {fault.cell[:60]!r} {fault.reason}; the row is rejected."
    if (more := len(column.faults) - _SHOWN) > 0:
        yield f"{column.name!r}: {more} more cells are not numbers, and their rows are rejected."


def _line(table: Table, row: int) -> str:
    name = "row" if table.raw.header_line is None else "line"
    return f"{name} {table.raw.lines[row]}"


def _rows(count: int) -> str:
    return f"{count} row{'' if count == 1 else 's'}"


def _spellings(column: TableColumn) -> Iterator[str]:
    """Levels that are one but for capitals and blanks."""
    by_letters: dict[str, list[str]] = {}
    for level in column.levels:
        by_letters.setdefault("".join(level.casefold().split()), []).append(level)
    for levels in by_letters.values():
        if len(levels) > 1:
            yield (
                f"{column.name!r}: {', '.join(map(repr, levels))} differ in capitals or blanks alone, and "
                f"are {len(levels)} levels. Write them alike if they are one."
            )


def remarks_on_left_out(reasons: Mapping[str, str]) -> Iterator[str]:
    """Sentences about the columns that the study does not read, those of one reason together.

    Args:
        reasons: Reasons by column.
    """
    by_reason: dict[str, list[str]] = {}
    for column, reason in reasons.items():
        by_reason.setdefault(reason, []).append(column)
    for reason, columns in by_reason.items():
        yield f"Left out: {_list(columns)}: {reason}."


def _list(columns: Collection[str]) -> str:
    names = [*columns]
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
