"""The cells of the files of a data set, as text, row by row."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from nestmat import tables
from nestmat.config.datasets import DataFile, DatasetSpec
from nestmat.data.registry import closest
from nestmat.errors import InputError


@dataclass
class CellRows:
    """Cells by column, with the faults and flags of rows.

    Attributes:
        lines: Line or row of the source, by index of the row.
        cells: Cells by column.
        blank: Number of blank lines among the rows.
        ragged: Indices of rows with another number of cells than the header.
        faults: Column, value and reason of each fault, by index of the row.
        flags: Reasons to suspect a label, by index of the row.
    """

    lines: list[int]
    cells: dict[str, list[str]]
    blank: int = 0
    ragged: set[int] = field(default_factory=set)
    faults: dict[int, list[tuple[str, str, str]]] = field(default_factory=dict)
    flags: dict[int, list[str]] = field(default_factory=dict)

    def add_fault(self, index: int, column: str, value: str, reason: str) -> None:
        """Note why a row is rejected."""
        self.faults.setdefault(index, []).append((column, value, reason))

    def add_flag(self, index: int, reason: str) -> None:
        """Note why a label of a row is suspected."""
        self.flags.setdefault(index, []).append(reason)

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


class _CsvLines(Iterator[str]):
    """Lines of a CSV text, blank where a comment stands, so that the lines after it keep their numbers.

    Attributes:
        within: Whether the next line goes on with a row, so that it cannot be a comment.
        comments: Number of comments so far.
    """

    def __init__(self, text: str, comment: str | None):
        self._lines, self._comment = io.StringIO(text, newline=""), comment
        self.within, self.comments = False, 0

    def __next__(self) -> str:
        line = next(self._lines)
        if self._comment and not self.within and line.startswith(self._comment):
            self.comments += 1
            return "\n"
        self.within = True
        return line


def text_rows(path: str | Path, comment: str | None = None) -> Iterator[list[str]]:
    """The header of a file, then its rows, as text: what is there, before a data set says what it is.

    Args:
        path: Parquet file by its suffix ``.parquet``, or else a CSV file, whose blank lines are left out.
        comment: What lines of a CSV file that are left out begin with.

    Raises:
        InputError: The file is missing, empty, not UTF-8, not CSV or not Parquet.
    """
    path = Path(path)
    data, _ = _read_bytes(path, None)
    if is_parquet(path):
        table = tables.foreign(data, path)
        yield table.column_names
        for cells in zip(*(tables.texts(column) for column in table.columns), strict=True):
            yield [cell.strip() for cell in cells]
        return
    lines = _CsvLines(_decode(data, path), comment)
    reader = csv.reader(lines, strict=True)
    try:
        for row in reader:
            lines.within = False
            if any(cell.strip() for cell in row):
                yield [cell.strip() for cell in row]
    except csv.Error as error:
        raise _csv_error(error, path, reader.line_num) from error


def is_parquet(path: Path) -> bool:
    """Whether a file is Parquet, by its suffix."""
    return path.suffix.lower() == ".parquet"


def _csv_error(error: csv.Error, path: Path, line: int) -> InputError:
    return InputError(
        f"The file is not valid CSV: {error}.",
        file=path,
        row=line,
        remedy="look for a quotation mark that is not closed on this line.",
    )


def load_cells(spec: DatasetSpec, paths: Sequence[Path]) -> tuple[CellRows, list[str]]:
    """The rows of all files side by side, and the checksum of each file."""
    if len(paths) != len(spec.files):
        raise InputError(f"Data set {spec.title!r} has {len(spec.files)} files, not {len(paths)}.")
    headers = _headers_to_read(spec)
    # The reader of a single file reports what it lacks, with the line.
    owners = _owners_of_columns(spec, headers, paths) if spec.further_files else dict.fromkeys(headers, 0)
    rows_by_file, checksums = [], []
    for k, (part, path) in enumerate(zip(spec.files, paths, strict=True)):
        data, checksum = _read_bytes(path, part.sha256)
        own_headers = {key: header for key, header in headers.items() if owners[key] == k}
        if is_parquet(path):
            rows_by_file.append(_cells_of_table(spec, own_headers, tables.foreign(data, path), path))
        else:
            rows_by_file.append(_cells_of_csv(part, own_headers, _decode(data, path), path))
        checksums.append(checksum)
    rows = rows_by_file[0]
    for path, further_rows in zip(paths[1:], rows_by_file[1:], strict=True):
        _join_columns(rows, further_rows, paths[0], path)
    return rows, checksums


def _owners_of_columns(spec: DatasetSpec, needed: Mapping[str, str], paths: Sequence[Path]) -> dict[str, int]:
    """Number of the file that has each column; the first for what none has."""
    headers = [
        part.names or next(text_rows(path, part.comment))
        for part, path in zip(spec.files, paths, strict=True)
    ]
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
    rows.ragged |= further_rows.ragged
    for index, faults in further_rows.faults.items():
        for column, value, reason in faults:
            rows.add_fault(index, column, value, f"{reason} in {further_path.name}")


def _cells_of_table(spec: DatasetSpec, needed: Mapping[str, str], table: pa.Table, path: Path) -> CellRows:
    """The rows of a table with types, its cells as text."""
    if not table.num_rows:
        raise InputError("The table has no rows.", file=path, remedy="give at least one row of data.")
    for key, header in needed.items() if spec.generator else ():
        if header not in table.column_names:
            raise InputError(
                f"The generator {spec.generator!r} has no column "
                f"{header!r}{closest(header, table.column_names)}.",
                column=key.removeprefix("formula/"),
                remedy=f"it has {', '.join(table.column_names)}.",
            )
    places = _places_of_columns(table.column_names, needed, path, None)
    cells = {place: [text.strip() for text in tables.texts(table.column(place))] for place in places.values()}
    lines = list(range(1, table.num_rows + 1))
    return CellRows(lines, {key: cells[place] for key, place in places.items()})


def _read_bytes(path: Path, checksum: str | None) -> tuple[bytes, str]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"The file cannot be read: {error.strerror}.", file=path, remedy="check the path of the data set."
        ) from error
    sha256 = hashlib.sha256(data).hexdigest()
    if checksum and sha256 != checksum:
        raise InputError(
            f"The file has another checksum than the registry: sha256 {sha256}, expected {checksum}.",
            file=path,
            remedy="delete the file and run again to fetch it once more.",
        )
    return data, sha256


def _decode(data: bytes, path: Path) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InputError("The file is UTF-16, not UTF-8.", file=path, remedy="save it as `CSV UTF-8`.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            "The text is not UTF-8.",
            file=path,
            row=data.count(b"\n", 0, error.start) + 1,
            value=data[error.start : error.end],
            remedy="save it as `CSV UTF-8`.",
        ) from error
    if not text.strip():
        raise InputError(
            "The file is empty.", file=path, remedy="give a CSV file with a header line and data."
        )
    return text


def _headers_to_read(spec: DatasetSpec) -> dict[str, str]:
    """Headers to read by column: the declared columns, and what the formula is made of."""
    needed = {key: column.header or key for key, column in spec.columns.items()}
    parts = [spec.formula] if spec.formula else template_parts(spec.formula_template or "")
    return needed | {f"formula/{part}": needed.get(part, part) for part in parts}


def template_parts(template: str) -> list[str]:
    """Columns that a formula template is made of."""
    return [part.strip() for part in re.findall(r"\{([^{}]+)\}", template)]


def _cells_of_csv(part: DataFile, needed: Mapping[str, str], text: str, path: Path) -> CellRows:
    lines = _CsvLines(text, part.comment)
    reader = csv.reader(lines, strict=True)
    header = part.names
    places = _places_of_columns(header, needed, path, None) if header else {}
    rows = CellRows([], {key: [] for key in places})
    line = 1
    try:
        comments = 0
        for cells in reader:
            lines.within = False
            if not any(cell.strip() for cell in cells):
                rows.blank += header is not None and lines.comments == comments
            elif header is None:
                header = [cell.strip() for cell in cells]
                places = _places_of_columns(header, needed, path, line)
                rows.cells = {key: [] for key in places}
            else:
                _append_row(rows, header, places, cells, line)
            line, comments = reader.line_num + 1, lines.comments
    except csv.Error as error:
        raise _csv_error(error, path, line) from error
    if not rows.lines:
        raise InputError(
            "The file has a header and no data.", file=path, remedy="give at least one row of data."
        )
    return rows


def _places_of_columns(
    header: Sequence[str], needed: Mapping[str, str], path: Path, line: int | None
) -> dict[str, int]:
    places = {}
    for key, name in needed.items():
        named = [place for place, cell in enumerate(header) if cell == name]
        if len(named) > 1:
            raise InputError(
                f"The file has the column {len(named)} times, as columns "
                f"{', '.join(str(place + 1) for place in named)}.",
                file=path,
                row=line,
                column=name,
                remedy="rename or delete all but one.",
            )
        if not named:
            listed = ", ".join(cell for cell in header if cell)
            other_separator = len(header) == 1 and any(mark in header[0] for mark in ";\t")
            raise InputError(
                f"The file has no column {name!r}{closest(name, header)}.",
                file=path,
                row=line,
                column=name,
                remedy="save the file with commas between the cells."
                if other_separator
                else f"the file has {listed}; give the right name, or the file's as `header`.",
            )
        places[key] = named[0]
    return places


def _append_row(
    rows: CellRows, header: Sequence[str], places: dict[str, int], cells: list[str], line: int
) -> None:
    index = len(rows.lines)
    rows.lines.append(line)
    if len(cells) < len(header) or any(cell.strip() for cell in cells[len(header) :]):
        rows.ragged.add(index)
        reason = f"the line has {len(cells)} cells, the header {len(header)}"
        rows.add_fault(index, "", f"{len(cells)} cells", reason)
    for key, place in places.items():
        rows.cells[key].append("" if index in rows.ragged else cells[place].strip())
