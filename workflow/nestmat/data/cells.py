"""The cells of the files of a data set, as text, column by column."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from nestmat import tables
from nestmat.config.data_files import DataFile, format_of
from nestmat.config.datasets import DatasetSpec
from nestmat.data.raw_tables import RawTable, raw_table, read_bytes, read_header
from nestmat.data.registry import closest
from nestmat.data.signatures import decompress
from nestmat.errors import InputError


@dataclass
class CellRows:
    """Cells by column, with the faults and flags of rows.

    Attributes:
        lines: Line or row of the source, by index of the row.
        cells: Cells by column.
        files: File of each column, which says how its numbers are written.
        blank: Number of blank lines among the rows.
        ragged: Indices of rows with another number of cells than the header.
        faults: Column, value and reason of each fault, by index of the row.
        flags: Reasons to suspect a label, by index of the row.
        notes: What was understood of cells that are no plain numbers: the index and the cell of the first
            row, and the number of rows, by column and note.
    """

    lines: list[int]
    cells: dict[str, pa.ChunkedArray]
    files: dict[str, DataFile]
    blank: int = 0
    ragged: set[int] = field(default_factory=set)
    faults: dict[int, list[tuple[str, str, str]]] = field(default_factory=dict)
    flags: dict[int, list[str]] = field(default_factory=dict)
    notes: dict[tuple[str, str], tuple[int, str, int]] = field(default_factory=dict)

    def cell(self, column: str, index: int) -> str:
        """A single cell."""
        return self.cells[column][index].as_py()

    def add_fault(self, index: int, column: str, value: str, reason: str) -> None:
        """Note why a row is rejected."""
        self.faults.setdefault(index, []).append((column, value, reason))

    def add_flag(self, index: int, reason: str) -> None:
        """Note why a label of a row is suspected."""
        self.flags.setdefault(index, []).append(reason)

    def add_note(self, index: int, column: str, value: str, note: str) -> None:
        """Note what was understood of a cell."""
        first, cell, count = self.notes.get((column, note), (index, value, 0))
        self.notes[column, note] = (first, cell, count + 1)

    def rejects(self) -> pd.DataFrame:
        """The rows with a fault: the first of it, the others named in the reason."""
        rejects = []
        for index in sorted(self.faults):
            column, value, reason = self.faults[index][0]
            if later_faults := "; ".join(f"{c}: {v!r} {r}" for c, v, r in self.faults[index][1:]):
                reason = f"{reason}; also {later_faults}"
            rejects.append((self.lines[index], column, value, reason))
        frame = pd.DataFrame(rejects, columns=list(tables.REJECTS))
        return frame.astype({"row": "int64"})


def load_cells(spec: DatasetSpec, paths: Sequence[Path]) -> tuple[CellRows, list[str]]:
    """The rows of all files side by side, and the checksum of each file."""
    if len(paths) != len(spec.files):
        raise InputError(f"Data set {spec.title!r} has {len(spec.files)} files, not {len(paths)}.")
    headers = _headers_to_read(spec)
    parts = [_part_of(part, path) for part, path in zip(spec.files, paths, strict=True)]
    # The reader of a single file reports what it lacks, with the line.
    owners = _owners_of_columns(parts, headers, paths) if spec.further_files else dict.fromkeys(headers, 0)
    rows_by_file, checksums = [], []
    for k, (part, path) in enumerate(zip(parts, paths, strict=True)):
        data, checksum = read_bytes(path, part.sha256)
        own_headers = {key: header for key, header in headers.items() if owners[key] == k}
        table = raw_table(decompress(data, path), part, path, set(own_headers.values()))
        rows_by_file.append(_cells_of(spec, part, own_headers, table, path))
        checksums.append(checksum)
    rows = rows_by_file[0]
    for path, further_rows in zip(paths[1:], rows_by_file[1:], strict=True):
        _join_columns(rows, further_rows, paths[0], path)
    return rows, checksums


def _part_of(part: DataFile, path: Path) -> DataFile:
    """How a file is written, that of a generator by its own suffix."""
    if part.format or format_of(path.name) == part.table_format:
        return part
    return part.model_copy(update={"format": format_of(path.name)})


def _owners_of_columns(
    parts: Sequence[DataFile], needed: Mapping[str, str], paths: Sequence[Path]
) -> dict[str, int]:
    """Number of the file that has each column; the first for what none has."""
    headers = [set(read_header(path, part)) for part, path in zip(parts, paths, strict=True)]
    owners = {}
    for key, name in needed.items():
        holders = [k for k, header in enumerate(headers) if name in header]
        if len(holders) > 1:
            raise InputError(
                f"The column is in {paths[holders[0]]} too.",
                file=paths[holders[1]],
                column=name,
                remedy="rename it in one of the files.",
            )
        owners[key] = holders[0] if holders else 0
    return owners


def _join_columns(rows: CellRows, further_rows: CellRows, path: Path, further_path: Path) -> None:
    """Append the columns of another file to the rows of the first."""
    if len(further_rows.lines) != len(rows.lines):
        raise InputError(
            f"The file has {len(further_rows.lines)} rows, and {path} has {len(rows.lines)}.",
            file=further_path,
            remedy="the files must hold the same rows in the same order.",
        )
    offsets, further_offsets = (np.array(lines) - lines[0] for lines in (rows.lines, further_rows.lines))
    if (shifted := np.flatnonzero(offsets != further_offsets)).size:
        raise InputError(
            f"The row does not stand where line {rows.lines[shifted[0]]} of {path} does: one of the files "
            "has a "
            "blank line or a line break in a cell.",
            file=further_path,
            row=further_rows.lines[shifted[0]],
            remedy="take it out, so that the files are row by row the same.",
        )
    rows.cells |= further_rows.cells
    rows.files |= further_rows.files
    rows.ragged |= further_rows.ragged
    for index, faults in further_rows.faults.items():
        for column, value, reason in faults:
            rows.add_fault(index, column, value, f"{reason} in {further_path.name}")


def _headers_to_read(spec: DatasetSpec) -> dict[str, str]:
    """Headers to read by column: the declared columns, and what the formula is made of."""
    needed = {key: column.header or key for key, column in spec.columns.items()}
    parts = [spec.formula] if spec.formula else template_parts(spec.formula_template or "")
    return needed | {f"formula/{part}": needed.get(part, part) for part in parts}


def template_parts(template: str) -> list[str]:
    """Columns that a formula template is made of."""
    return [part.strip() for part in re.findall(r"\{([^{}]+)\}", template)]


def _cells_of(
    spec: DatasetSpec, part: DataFile, needed: Mapping[str, str], table: RawTable, path: Path
) -> CellRows:
    """The rows of a table, its cells by column."""
    for key, header in needed.items() if spec.generator else ():
        if header not in table.header:
            raise InputError(
                f"The generator {spec.generator!r} has no column {header!r}{closest(header, table.header)}.",
                column=key.removeprefix("formula/"),
                remedy=f"it has {list_headers(table.header)}.",
            )
    places = _places_of_columns(table, needed, path)
    cells = {key: table.columns[place] for key, place in places.items()}
    rows = CellRows(table.lines, cells, dict.fromkeys(cells, part), table.blank, set(table.ragged))
    for index, count in table.ragged.items():
        reason = f"the line has {count} cells, the header {len(table.header)}"
        rows.add_fault(index, "", f"{count} cells", reason)
    return rows


def list_headers(headers: Collection[str]) -> str:
    """Headers in quotes, of many the first ones.

    Example:
        >>> list_headers(["formula", "Eg, eV"])
        "'formula', 'Eg, eV'"
    """
    names = [name for name in headers if name]
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(repr(name) for name in names[:_SHOWN]) + more


_SHOWN = 30


def _places_of_columns(table: RawTable, needed: Mapping[str, str], path: Path) -> dict[str, int]:
    places_by_name: dict[str, list[int]] = {}
    for place in table.columns:
        places_by_name.setdefault(table.header[place], []).append(place)
    places = {}
    for key, name in needed.items():
        named = places_by_name.get(name, [])
        if len(named) > 1:
            raise InputError(
                f"The file has the column {len(named)} times, as columns "
                f"{', '.join(str(place + 1) for place in named)}.",
                file=path,
                row=table.header_line,
                column=name,
                remedy="rename or delete all but one.",
            )
        if not named:
            raise missing_column(name, table.header, path, table.header_line)
        places[key] = named[0]
    return places


def missing_column(name: str, header: Sequence[str], path: str | Path, line: int | None = None) -> InputError:
    """What is said of a column that a file does not have.

    Args:
        name: Its header.
        header: Headers of the file.
        path: The file.
        line: Line of the header.
    """
    marks = [mark for mark in (";", "\t", "|") if len(header) == 1 and mark in header[0]]
    if marks:
        remedy = f"state what stands between its cells, `delimiter: {marks[0]!r}`, in the data set"
    elif len(header) == 1 and line is not None:
        remedy = (
            f"the file has {list_headers(header)}; where the header is not in line {line}, state "
            "`header_line`, or `comment` for lines that are no rows"
        )
    else:
        remedy = f"the file has {list_headers(header)}; give the right name, or the file's as `header`"
    return InputError(
        f"The file has no column {name!r}{closest(name, header)}.",
        file=path,
        row=line,
        column=name,
        remedy=f"{remedy}.",
    )
