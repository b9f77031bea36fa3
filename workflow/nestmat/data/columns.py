"""Values of a column, by its kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

import numpy as np

from nestmat.config.data_files import DataFile
from nestmat.config.datasets import ColumnSpec, DatasetSpec
from nestmat.data.cells import CellRows
from nestmat.data.numbers import MISSING, NumberRules, read_number, read_numbers

NOT_STATED = "not stated"
# "None" and "NA" can be levels of a category; these cannot.
_NO_TEXT = frozenset({"", "nan", "NaN", "null", "NULL", "N/A", "#N/A"})


def number_rules(part: DataFile, missing_values: Collection[str], column: ColumnSpec) -> NumberRules:
    """How the numbers of a column are written.

    Args:
        part: Its file.
        missing_values: Spellings of no value.
        column: The column.
    """
    missing = frozenset(spelling.casefold() for spelling in missing_values)
    return NumberRules(part.decimal or ".", part.thousands, missing, tuple(column.sentinels), column.unit)


def is_missing_text(cell: str, missing: Collection[str]) -> bool:
    """Whether a cell of text has no value.

    Args:
        cell: The cell.
        missing: Spellings of no value that are declared, in small letters.
    """
    return cell in _NO_TEXT or cell.casefold() in missing


def read_column(rows: CellRows, key: str, spec: DatasetSpec) -> np.ndarray:
    """Values of a column; its cells without a value, and what was understood of others, are noted.

    Args:
        rows: Rows of the data set, whose faults and notes are added to.
        key: Name of the column.
        spec: The data set.

    Returns:
        Numbers, NaN where there is none, or texts, None where there is none; n.
    """
    column = spec.columns[key]
    rules = number_rules(rows.files[key], spec.missing_values, column)
    if column.classes:
        return _read_distinct(rows, key, column, math.nan, _class_parser(column, rules))
    if column.is_numeric:
        return _read_numbers(rows, key, column, rules)

    def read_text(cell: str) -> tuple[str | None, str | None]:
        return (None, MISSING) if is_missing_text(cell, rules.missing) else (cell, None)

    return _read_distinct(rows, key, column, None, read_text)


def _read_numbers(rows: CellRows, key: str, column: ColumnSpec, rules: NumberRules) -> np.ndarray:
    numbers = read_numbers(rows.cells[key], rules)
    for index, reason in numbers.faults():
        if index not in rows.ragged and _rejects(column, reason):
            rows.add_fault(index, key, rows.cell(key, index), reason)
    for index, number in numbers.odd.items():
        if number.note:
            rows.add_note(index, key, rows.cell(key, index), number.note)
    return numbers.values


def _rejects(column: ColumnSpec, reason: str) -> bool:
    return column.missing == "reject" or not reason.startswith(MISSING)


def _read_distinct(
    rows: CellRows,
    key: str,
    column: ColumnSpec,
    empty: float | None,
    parse: Callable[[str], tuple[float | str | None, str | None]],
) -> np.ndarray:
    """Values of a column, each distinct cell of which is read once.

    Args:
        rows: Rows of the data set.
        key: Name of the column.
        column: The column.
        empty: Value where there is none.
        parse: Value of a cell, and why it has none.
    """
    encoded = rows.cells[key].combine_chunks().dictionary_encode()
    parsed = [parse(cell) for cell in encoded.dictionary.to_pylist()]
    is_level = column.missing == "level"
    values = [NOT_STATED if reason and is_level else empty if reason else value for value, reason in parsed]
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    dtype = object if empty is None else np.float64
    distinct = np.empty(len(values), dtype=dtype)
    distinct[:] = values
    read = distinct[codes]
    if not is_level:
        faulty = np.array(
            [bool(reason) and _rejects(column, reason or "") for _, reason in parsed], dtype=bool
        )
        for index in np.flatnonzero(faulty[codes]).tolist():
            if index not in rows.ragged:
                rows.add_fault(index, key, rows.cell(key, index), parsed[codes[index]][1] or "")
    if rows.ragged:
        read[sorted(rows.ragged)] = empty
    return read


def _class_parser(column: ColumnSpec, rules: NumberRules) -> Callable[[str], tuple[float | None, str | None]]:
    """The parser of a column with classes: of their names, and of their numbers where it holds numbers."""
    names = column.classes or []
    number_of = {name: float(number) for number, name in enumerate(names)}
    # Names that differ in capitals alone are told apart by them.
    folded = {name.casefold(): float(number) for number, name in enumerate(names)}
    folded = folded if len(folded) == len(names) else {}
    listed = [f"{number} ({name})" for number, name in enumerate(names)] if column.kind == "number" else names
    reason = f"is none of the classes {', '.join(listed)}"

    def parse(cell: str) -> tuple[float | None, str | None]:
        if (number := number_of.get(cell, folded.get(cell.casefold()))) is not None:
            return number, None
        if is_missing_text(cell, rules.missing):
            return None, MISSING
        if column.kind != "number":
            return None, reason
        value, fault, _ = read_number(cell, rules)
        if fault and fault.startswith(MISSING):
            return None, fault
        return (value, None) if not fault and value in range(len(names)) else (None, reason)

    return parse
