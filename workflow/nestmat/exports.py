"""Tables for a user's other programs: CSV, Parquet, JSON lines or Excel, by the suffix of the file."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from nestmat import tables
from nestmat.errors import InputError
from nestmat.files import check_writable, replacing, write_text

MOST_EXCEL_ROWS = 1_048_575
"""Rows of a sheet below its header."""


def write_table(
    path: str | Path, frame: pd.DataFrame, schema: tables.Schema, provenance: Mapping[str, Any] | None = None
) -> None:
    """Write a frame in the format of the suffix, whole or not at all.

    Args:
        path: File to write, with one of the suffixes in `FORMATS`.
        frame: Columns of ``schema``.
        schema: Type and unit of every column; all but Parquet keep the order alone.
        provenance: Facts about the origin of the table, which Parquet keeps.

    Raises:
        InputError: The suffix is another, a value does not fit its type, or the file cannot be written.
    """
    path = Path(path)
    _format_of(path)(path, frame[list(schema)], schema, provenance)


def check_output(
    path: str | Path, read: Mapping[str, str | Path], *, results: str | Path, overwrite: bool = False
) -> None:
    """Check that a file may be written, before the work for it begins.

    Paths are compared as what they lead to: through links and in any spelling.

    Args:
        path: The file, which `write_table` will write.
        read: Files that must not be lost, by what each is.
        results: Folder of the results of the study, in which nothing may be written.
        overwrite: Whether a file that exists may be replaced.

    Raises:
        InputError: The suffix is none of `FORMATS`, the file is one of ``read`` or in the results, exists, or
            its folder cannot be written.
    """
    path = Path(path)
    _format_of(path)
    check_replaces_none(path, read)
    if path.resolve().is_relative_to(Path(results).resolve()):
        raise InputError(
            "The output would be among the results of the study.",
            file=path,
            remedy="name a file in another folder.",
        )
    if path.is_dir():
        raise InputError("The output is a folder.", file=path, remedy="name a file in it.")
    if not overwrite and (path.exists() or path.is_symlink()):
        raise InputError(
            "The file exists already.",
            file=path,
            remedy="name another file, or give --overwrite to replace it.",
        )
    check_writable(path.parent)


def check_replaces_none(path: Path, read: Mapping[str, str | Path]) -> None:
    """Check that a file to write is none of those that must not be lost.

    Args:
        path: The file.
        read: Files that must not be lost, by what each is.

    Raises:
        InputError: It is one of them.
    """
    for use, file in read.items():
        if _is_same(path, Path(file)):
            raise InputError(f"The output would replace {use}.", file=path, remedy="name another file.")


def _is_same(one: Path, other: Path) -> bool:
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


def csv_text(frame: pd.DataFrame) -> str:
    """A table as comma-separated values with a header line; a missing value is an empty cell."""
    return frame.to_csv(index=False, lineterminator="\n")


def json_lines(records: Iterable[Mapping[Any, Any]]) -> str:
    """Records as JSON, one on each line; a missing value is null."""
    return "".join(
        json.dumps({key: _plain(value) for key, value in record.items()}) + "\n" for record in records
    )


def _plain(value: Any) -> Any:
    """A value as JSON and Excel know it: a number that is none is missing."""
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write_csv(path: Path, frame: pd.DataFrame, _schema: tables.Schema, _provenance: Any) -> None:
    write_text(path, csv_text(frame))


def _write_json_lines(path: Path, frame: pd.DataFrame, _schema: tables.Schema, _provenance: Any) -> None:
    write_text(path, json_lines(frame.to_dict("records")))


def _write_excel(path: Path, frame: pd.DataFrame, _schema: tables.Schema, _provenance: Any) -> None:
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    if len(frame) > MOST_EXCEL_ROWS:
        raise InputError(
            f"The table has {len(frame):,} rows, and a sheet of Excel at most {MOST_EXCEL_ROWS:,}.",
            file=path,
            remedy="write .csv or .parquet.",
        )
    book = Workbook(write_only=True)
    sheet = book.create_sheet("nestmat")

    def cell(value: Any) -> Any:
        value = _plain(value)
        if not isinstance(value, str):
            return value
        text = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", value))
        # Else a text that begins with = would be calculated.
        text.data_type = "s"
        return text

    sheet.append([cell(str(name)) for name in frame.columns])
    for row in frame.itertuples(index=False):
        sheet.append([cell(value) for value in row])
    with replacing(path) as aside:
        book.save(aside)


FORMATS: Mapping[str, Callable[[Path, pd.DataFrame, tables.Schema, Any], None]] = {
    ".csv": _write_csv,
    ".parquet": tables.write,
    ".jsonl": _write_json_lines,
    ".xlsx": _write_excel,
}
"""What writes a table, by the suffix of the file."""


def _format_of(path: Path) -> Callable[[Path, pd.DataFrame, tables.Schema, Any], None]:
    if path.suffix.lower() not in FORMATS:
        raise InputError(
            f"The suffix {path.suffix!r} names no format that is written."
            if path.suffix
            else "The file has no suffix, which names its format.",
            file=path,
            remedy=f"choose one of {', '.join(FORMATS)}.",
        )
    return FORMATS[path.suffix.lower()]
