"""Tables as their files have them: headers, and cells as text by column, whatever the format."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from nestmat import tables
from nestmat.config.data_files import DataFile
from nestmat.data.json_tables import json_table
from nestmat.data.records import Record, sheet_records, text_records
from nestmat.data.signatures import check_format, decompress
from nestmat.data.texts import clean, clean_cells, decode
from nestmat.errors import InputError

_ROWS_AT_ONCE = 8192
# Of wide tables fewer, so that their cells as separate texts take little memory.
_CELLS_AT_ONCE = 500_000


@dataclass
class RawTable:
    """A table whose columns nothing is known of.

    Attributes:
        header: Headers, clean; some may be empty or occur more than once.
        header_line: Line of the header; None where the file has none.
        lines: Line of each row, or its number, counted from 1.
        columns: Cells of the columns that are read, clean, by place in the header; empty in ragged rows.
        blank: Number of blank lines among the rows.
        ragged: Number of cells of each row that has another number of them than the header, by row.
    """

    header: list[str]
    header_line: int | None
    lines: list[int]
    columns: dict[int, pa.ChunkedArray]
    blank: int = 0
    ragged: dict[int, int] = field(default_factory=dict)


def read_bytes(path: str | Path, checksum: str | None = None) -> tuple[bytes, str]:
    """Content of a file and its SHA256, which must be the expected one if there is one.

    Raises:
        InputError: The file cannot be read, or has another checksum.
    """
    try:
        data = Path(path).read_bytes()
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


def read_header(path: str | Path, part: DataFile) -> list[str]:
    """Headers of a file, clean.

    Args:
        path: The file.
        part: How it is written.

    Raises:
        InputError: As `raw_table`.
    """
    if part.names:
        return [*part.names]
    data = decompress(read_bytes(path)[0], path)
    if part.table_format in ("parquet", "json"):
        return raw_table(data, part, path, []).header
    for record in _records(data, part, path):
        if record.cells:
            return _header_of(record.cells)
    return []


def raw_table(
    data: bytes, part: DataFile, path: str | Path, headers: Collection[str] | None = None
) -> RawTable:
    """The table of a file.

    Args:
        data: Content of the file, decompressed.
        part: How it is written.
        path: Its name, for messages.
        headers: Headers of the columns to read; all by default.

    Raises:
        InputError: The file is of another format, empty, damaged, not in its encoding, or without rows.
    """
    check_format(data, part.table_format, path)
    if part.table_format == "parquet":
        table = tables.foreign(data, path)
        header = [clean(name) for name in table.column_names]
        places = _places(header, headers)
        columns = {place: _chunked([clean_cells(tables.texts(table.column(place)))]) for place in places}
        raw = RawTable(header, None, list(range(1, table.num_rows + 1)), columns)
    elif part.table_format == "json":
        names, cells, lines = json_table(decode(data, path), path)
        header = [clean(name) for name in names]
        columns = {place: _chunked([clean_cells(cells[place])]) for place in _places(header, headers)}
        raw = RawTable(header, None, lines, columns)
    else:
        raw = _of_records(_records(data, part, path), part, headers)
    if not raw.lines:
        raise InputError(
            "The table has no rows."
            if part.table_format in ("parquet", "json")
            else "The file has a header and no data.",
            file=path,
            remedy="give at least one row of data.",
        )
    return raw


def _records(data: bytes, part: DataFile, path: str | Path) -> Iterator[Record]:
    """Records of a text file or a sheet from its header on."""
    check_format(data, part.table_format, path)
    if part.table_format == "excel":
        return sheet_records(data, part, path)
    return text_records(decode(data, path, part.encoding), part, path)


def _header_of(cells: Sequence[str]) -> list[str]:
    """Headers of a record, without the empty ones after the last."""
    header = [clean(cell) for cell in cells]
    while header and not header[-1]:
        header.pop()
    return header


def _places(header: Sequence[str], headers: Collection[str] | None) -> list[int]:
    return [place for place, name in enumerate(header) if headers is None or name in headers]


def _chunked(chunks: list[pa.Array]) -> pa.ChunkedArray:
    return pa.chunked_array(chunks, pa.large_string())


def _of_records(records: Iterable[Record], part: DataFile, headers: Collection[str] | None) -> RawTable:
    rows = iter(records)
    header, header_line = [*(part.names or [])], None
    if not part.names:
        first = next((record for record in rows if record.cells), None)
        if first is None:
            return RawTable([], None, [], {})
        header, header_line = _header_of(first.cells), first.line
    raw = RawTable(header, header_line, [], {})
    places = _places(header, headers)
    chunks: dict[int, list[pa.Array]] = {place: [] for place in places}
    size = max(1, min(_ROWS_AT_ONCE, _CELLS_AT_ONCE // max(1, len(header))))
    while batch := list(itertools.islice(rows, size)):
        filled = [_fit(record, raw, part) for record in batch if record.cells]
        raw.blank += len(batch) - len(filled)
        for place in places:
            chunks[place].append(clean_cells([cells[place] for cells in filled]))
    raw.columns = {place: _chunked(parts) for place, parts in chunks.items()}
    return raw


def _fit(record: Record, raw: RawTable, part: DataFile) -> list[str]:
    """Cells of a row, as many as the header has; empty ones where there are more or fewer."""
    line, cells = record
    count, width = len(cells), len(raw.header)
    if count < width and part.table_format == "excel":
        # A sheet does not keep empty cells at the end of a row.
        cells = cells + [""] * (width - count)
    elif count != width and (count < width or any(cell.strip() for cell in cells[width:])):
        raw.ragged[len(raw.lines)] = count
        cells = [""] * width
    raw.lines.append(line)
    return cells
