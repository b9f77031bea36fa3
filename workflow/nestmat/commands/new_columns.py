"""Columns of a user's table: what the cells of each are, and which a first study learns from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from nestmat.config.data_files import DataFile
from nestmat.data.cells import missing_column
from nestmat.data.columns import is_missing_text
from nestmat.data.numbers import COMMON_MISSING, MISSING, NumberRules, common_spelling, read_numbers
from nestmat.data.raw_tables import RawTable, raw_table, read_bytes
from nestmat.data.signatures import decompress
from nestmat.data.sniffing import FileGuess, is_spelled_missing
from nestmat.data.units import same_unit, unit_in_header
from nestmat.errors import InputError

LEVELS = 30
"""More levels than this are labels of rows rather than classes of them."""
SHARE_OF_NUMBERS = 0.8
"""Least share of numbers among the filled cells of a column of numbers."""
LARGEST_LOSS = 0.2
"""Largest share of the labelled rows that inputs may cost."""
MOST_COLUMNS = 2000
"""Columns of a table that are looked through; of more the inputs have to be named."""
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}(?:[-/.]\d{1,2})?(?:[T ]\d{1,2}:\d{2}.*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}(?: .*)?"
    r"|\d{1,2}[-. ](?:[A-Za-z]{3,9})\.?[-., ]*\d{2,4}"
    r"|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[-. ,]+(?:\d{1,2},? )?\d{2,4}",
    re.IGNORECASE,
)


class CellFault(NamedTuple):
    """A cell that is filled and has no value.

    Attributes:
        row: Index of its row.
        cell: The cell.
        reason: Why it has none.
    """

    row: int
    cell: str
    reason: str


@dataclass(frozen=True)
class TableColumn:
    """A column of the user's file: what its cells are.

    Attributes:
        name: Header.
        key: Name in the study, where the header's cannot be used.
        kind: number, category or text.
        texts: Its cells, n.
        values: Its numbers, NaN where a cell has none, n; of other kinds NaN alone.
        usable: Whether each cell has a value, n.
        unit: Unit that its header, a line of units or all its cells state; else empty.
        faults: Filled cells without a value, of a column of numbers.
        spelled: Spellings of a missing value that a data set has to declare, with their first row and count.
        informative: Whether the cells differ, and do not just count the rows.
        levels: Distinct cells with their number of rows, in ascending order; of many none.
    """

    name: str
    key: str
    kind: str
    texts: pa.ChunkedArray
    values: np.ndarray
    usable: np.ndarray
    unit: str = ""
    faults: tuple[CellFault, ...] = ()
    spelled: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    informative: bool = True
    levels: Mapping[str, int] = field(default_factory=dict)

    @property
    def empty(self) -> int:
        """Cells without a value."""
        return int(np.sum(~self.usable))

    @property
    def missing(self) -> int:
        """Cells that are empty or stand for no value."""
        return self.empty - len(self.faults)

    @property
    def numbers(self) -> list[float]:
        """Its numbers, those that there are."""
        return self.values[np.isfinite(self.values)].tolist()

    @property
    def cells(self) -> list[str]:
        """Its cells as text."""
        return self.texts.to_pylist()

    @property
    def is_binary(self) -> bool:
        """Whether the cells are 0 and 1."""
        return self.kind == "number" and set(self.numbers) == {0.0, 1.0}


@dataclass
class Table:
    """A user's table.

    Attributes:
        file: Its file.
        guess: How it is written.
        raw: Headers and cells.
        columns: Columns by header, those that occur once.
        unnamed: Reasons why the other columns of the file are left out, by what names them.
    """

    file: Path
    guess: FileGuess
    raw: RawTable
    columns: dict[str, TableColumn]
    unnamed: dict[str, str]

    @property
    def rows(self) -> int:
        """Number of its rows."""
        return len(self.raw.lines)

    def require(self, name: str) -> TableColumn:
        """A column by its header.

        Raises:
            InputError: The file has no such column, or has it twice.
        """
        if self.raw.header.count(name) > 1:
            raise InputError(
                "The column occurs twice in the header.", file=self.file, column=name, remedy="rename one."
            )
        if name not in self.columns:
            raise missing_column(name, self.raw.header, self.file, self.raw.header_line)
        return self.columns[name]

    def rename(self, reserved: Collection[str]) -> None:
        """Give columns other names in the study where those of the file are reserved."""
        for name in reserved & self.columns.keys():
            self.columns[name] = replace(self.columns[name], key=f"{name}_")

    def as_number(self, name: str, share: float) -> TableColumn:
        """A column as one of numbers, where enough of its filled cells are numbers.

        Args:
            name: Its header.
            share: Least share of them.
        """
        column = self.require(name)
        if column.kind != "number":
            place = self.raw.header.index(name)
            column = _Reader(self.guess, share).column(name, self.raw.columns[place], column.key)
            self.columns[name] = column
        return column


def read_table(data: Path, guess: FileGuess, named: Collection[str] | None = None) -> Table:
    """Read the table of a user, and what its columns are.

    Args:
        data: The file.
        guess: How it is written.
        named: Headers to read; all by default.

    Raises:
        InputError: The file cannot be read or has no data.
    """
    part = DataFile(file=str(data), **guess.keys)
    raw = raw_table(decompress(read_bytes(data)[0], data), part, data, named)
    occurrences = Counter(raw.header)
    reader = _Reader(guess, SHARE_OF_NUMBERS)
    columns, unnamed = {}, {}
    for place, cells in raw.columns.items():
        name = raw.header[place]
        if not name:
            unnamed[f"column {place + 1}"] = "has no header"
        elif occurrences[name] > 1:
            unnamed[repr(name)] = f"occurs {occurrences[name]} times"
        else:
            columns[name] = reader.column(name, cells, name)
    return Table(data, guess, raw, columns, unnamed)


def require_few_columns(header: Sequence[str], data: Path) -> None:
    """Check that a table has few columns enough to look through all of them.

    Raises:
        InputError: It has more.
    """
    if len(header) > MOST_COLUMNS:
        raise InputError(
            f"The table has {len(header):,} columns, more than the {MOST_COLUMNS:,} that are looked through.",
            file=data,
            remedy="name those to learn from: --features.",
        )


class _Reader:
    """Reads columns as the reader of a data set does that is written in the guessed way.

    Args:
        guess: How the file is written.
        share: Least share of numbers among the filled cells of a column of numbers.
    """

    def __init__(self, guess: FileGuess, share: float):
        self._guess, self._share = guess, share

    def column(self, name: str, texts: pa.ChunkedArray, key: str) -> TableColumn:
        """What a column is."""
        unit = self._guess.units.get(name) or unit_in_header(name)
        return self._as_number(name, texts, key, unit) or self._as_text(name, texts, key)

    def _as_number(self, name: str, texts: pa.ChunkedArray, key: str, unit: str) -> TableColumn | None:
        keys = self._guess.keys
        rules = NumberRules(keys.get("decimal", "."), keys.get("thousands"), COMMON_MISSING, unit=unit)
        numbers = read_numbers(texts, rules)
        unread = [row for row, number in numbers.odd.items() if number.reason and number.reason != MISSING]
        if unread and not np.isfinite(numbers.values).any():
            stated = common_spelling(texts.take(pa.array(unread)).to_pylist())
            if stated and (not unit or same_unit(stated, unit)):
                rules, unit = replace(rules, unit=stated), stated
                numbers = read_numbers(texts, rules)
        usable = np.isfinite(numbers.values)
        missing = {row for row, number in numbers.odd.items() if number.reason == MISSING}
        filled = len(texts) - int(numbers.empty.sum()) - len(missing)
        if not filled or usable.sum() < max(1, self._share * filled):
            return None
        faults = tuple(
            CellFault(row, texts[row].as_py(), number.reason)
            for row, number in numbers.odd.items()
            if number.reason and row not in missing
        )
        spelled = _spelled(((row, texts[row].as_py()) for row in sorted(missing)), True)
        values = numbers.values
        counts = _count_levels(texts, usable)
        levels = dict(sorted(counts.items(), key=lambda item: values[item[1][0]])) if counts else {}
        return TableColumn(
            name,
            key,
            "number",
            texts,
            values,
            usable,
            unit,
            faults,
            spelled,
            len(np.unique(values[usable])) > 1 and not _counts_rows(values),
            {level: count for level, (_, count) in levels.items()},
        )

    def _as_text(self, name: str, texts: pa.ChunkedArray, key: str) -> TableColumn:
        encoded = texts.combine_chunks().dictionary_encode()
        distinct = encoded.dictionary.to_pylist()
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        signs = {"+", "-"} <= set(distinct)
        spellings = set() if signs else {cell for cell in distinct if is_spelled_missing(cell, False)}
        gone = [is_missing_text(cell, ()) or cell in spellings for cell in distinct]
        usable = ~np.array(gone, dtype=bool)[codes]
        first = {cell: int(np.argmax(codes == code)) for code, cell in enumerate(distinct) if gone[code]}
        counts = np.bincount(codes, minlength=len(distinct))
        spelled = {
            cell: (row, int(counts[distinct.index(cell)])) for cell, row in first.items() if cell in spellings
        }
        levels = _count_levels(texts, usable)
        is_category = bool(levels) and 1 < len(levels) <= len(texts) // 2 and not _are_dates(levels)
        return TableColumn(
            name,
            key,
            "category" if is_category else "text",
            texts,
            np.full(len(texts), np.nan),
            usable,
            spelled=spelled,
            informative=bool(usable.any()) and len(levels) != 1,
            levels={level: count for level, (_, count) in sorted(levels.items())},
        )


def _spelled(cells: Iterator[tuple[int, str]], is_number: bool) -> dict[str, tuple[int, int]]:
    """Spellings of a missing value that are to be declared, with their first row and their count."""
    spelled: dict[str, tuple[int, int]] = {}
    for row, cell in cells:
        if is_spelled_missing(cell, is_number):
            first, count = spelled.get(cell, (row, 0))
            spelled[cell] = (first, count + 1)
    return spelled


def _count_levels(texts: pa.ChunkedArray, usable: np.ndarray) -> dict[str, tuple[int, int]]:
    """First row and number of rows of each distinct cell with a value; none where there are many."""
    encoded = texts.combine_chunks().dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False)[usable]
    present, first, counts = np.unique(codes, return_index=True, return_counts=True)
    if len(present) > LEVELS:
        return {}
    rows = np.flatnonzero(usable)[first]
    names = [encoded.dictionary[int(code)].as_py() for code in present]
    return {name: (int(row), int(count)) for name, row, count in zip(names, rows, counts, strict=True)}


def _are_dates(levels: Collection[str]) -> bool:
    return all(_DATE.fullmatch(level) for level in levels)


def _counts_rows(values: np.ndarray) -> bool:
    """Whether the numbers number the rows: a model would learn the order of the file from them."""
    return len(values) > 1 and bool(np.all(values == values[0] + np.arange(len(values)))) and values[0] >= 0


def why_text(column: TableColumn) -> str:
    """Why a column of text is no input."""
    if not column.usable.any():
        return "is empty"
    if column.levels and len(column.levels) == 1:
        return "has a single value"
    distinct = [cell for cell in column.texts.slice(0, 1000).to_pylist() if cell]
    if _are_dates(distinct):
        return "holds dates"
    numbers = [cell for cell in distinct if re.match(r"[<>~+-−]?\s*[.,]?\d", cell)]
    if len(numbers) > 0.5 * len(distinct):
        other = next((cell for cell in distinct if cell not in numbers), numbers[0])
        return f"holds too few numbers, as {other[:40]!r}"
    return "is text"


def drop_costly(
    columns: Sequence[TableColumn], labelled: np.ndarray
) -> tuple[list[TableColumn], dict[str, int]]:
    """Columns of which few labelled rows are rejected, and the number of rows that each of the others costs.

    Args:
        columns: Columns to learn from.
        labelled: Whether each row has a label, n.
    """
    total = int(labelled.sum())
    chosen, costs = [], dict[str, int]()
    for column in columns:
        cost = int(np.sum(labelled & ~column.usable))
        if cost > LARGEST_LOSS * total:
            costs[column.name] = cost
        else:
            chosen.append(column)
    lost = np.array([labelled & ~column.usable for column in chosen]).reshape(len(chosen), len(labelled))
    while chosen and lost.any(axis=0).sum() > LARGEST_LOSS * total:
        worst = int(np.argmax(lost.sum(axis=1)))
        costs[chosen[worst].name] = int(lost[worst].sum())
        del chosen[worst]
        lost = np.delete(lost, worst, axis=0)
    return chosen, costs


def split_names(text: str, columns: Collection[str]) -> list[str]:
    """Headers of a list with commas, which headers may have too.

    Args:
        text: The list, or a single header.
        columns: Headers of the table.

    Example:
        >>> split_names("T, K,p", ["T, K", "p"])
        ['T, K', 'p']
    """
    pieces, names = text.split(","), []
    while pieces:
        ends = range(len(pieces), 0, -1)
        end = next((k for k in ends if ",".join(pieces[:k]).strip() in columns), 1)
        names.append(",".join(pieces[:end]).strip())
        del pieces[:end]
    return [name for name in names if name]
