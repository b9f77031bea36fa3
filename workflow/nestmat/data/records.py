"""Records of text files and of spreadsheets: lines of cells, before anything is known of columns."""

from __future__ import annotations

import csv
import datetime
import io
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from nestmat.config.data_files import DataFile
from nestmat.errors import InputError

# The text is in memory anyway: a cell may hold a whole structure.
csv.field_size_limit(2**31 - 1)


class Record(NamedTuple):
    """A row as its file has it.

    Attributes:
        line: Line of a text file, row of a sheet, counted from 1.
        cells: Its cells, as they are.
    """

    line: int
    cells: list[str]


class _Lines(Iterator[str]):
    """Lines of a text, blank where a comment stands, so that the lines after it keep their numbers.

    Attributes:
        within: Whether the next line goes on with a row, so that it cannot be a comment.
        comments: Number of comments so far.
    """

    def __init__(self, text: str, part: DataFile):
        # Decoded a piece at a time: a buffer of text takes four bytes a character.
        content = io.BytesIO(text.encode("utf-8", "surrogatepass"))
        self._lines = io.TextIOWrapper(content, "utf-8", errors="surrogatepass", newline="")
        self._part = part
        self._first = part.header_line or 1
        self.line, self.comments, self.within = 0, 0, False

    def __next__(self) -> str:
        line = next(self._lines)
        self.line += 1
        if self.line < self._first or (self.line == self._part.units_line and not self.within):
            self.comments += 1
            return "\n"
        mark = self._part.comment
        if mark and not self.within and line.startswith(mark):
            if self.line != self._part.header_line:
                self.comments += 1
                return "\n"
            line = line.removeprefix(mark)
        self.within = True
        return " ".join(line.split()) + "\n" if self._part.delimiter == " " else line


def text_records(text: str, part: DataFile, path: str | Path, strict: bool = True) -> Iterator[Record]:
    """Records of a text file, those of blank lines without cells, those of comments left out.

    Args:
        text: The text.
        part: How it is written.
        path: Name of the file, for messages.
        strict: Whether a quotation mark that is not closed is an error.

    Raises:
        InputError: A quotation mark is not closed.
    """
    lines = _Lines(text, part)
    del text
    reader = csv.reader(lines, delimiter=part.delimiter or ",", strict=strict)
    line, comments = 1, 0
    try:
        for cells in reader:
            lines.within = False
            if any(cell.strip() for cell in cells):
                yield Record(line, cells)
            elif lines.comments == comments:
                yield Record(line, [])
            line, comments = reader.line_num + 1, lines.comments
    except csv.Error as error:
        raise InputError(
            f"The file is not valid CSV: {error}.",
            file=path,
            row=line,
            remedy="look for a quotation mark that is not closed on this line.",
        ) from error


def sheet_records(data: bytes, part: DataFile, path: str | Path) -> Iterator[Record]:
    """Records of a sheet of an Excel file.

    Args:
        data: Content of the file.
        part: Which sheet and lines hold the table.
        path: Name of the file, for messages.

    Raises:
        InputError: The file is damaged, or has no such sheet.
    """
    with _workbook(data, path) as book:
        sheet = book.worksheets[0] if part.sheet is None else _sheet(book, part.sheet, path)
        if hasattr(sheet, "reset_dimensions"):
            # What a file states of its size is not always true.
            sheet.reset_dimensions()
        for line, values in enumerate(sheet.iter_rows(values_only=True), start=1):
            cells = [_text(value) for value in values]
            is_left_out = line < (part.header_line or 1) or line == part.units_line
            if is_left_out or (part.comment and cells and cells[0].startswith(part.comment)):
                continue
            yield Record(line, cells if any(cell.strip() for cell in cells) else [])


def sheet_names(data: bytes, path: str | Path) -> list[str]:
    """Names of the sheets of an Excel file that hold cells, in their order."""
    with _workbook(data, path) as book:
        return [sheet.title for sheet in book.worksheets]


# What openpyxl ends with where it cannot read a file.
_DAMAGED = (zipfile.BadZipFile, KeyError, ValueError, TypeError, SyntaxError, EOFError, OSError)


class _workbook:  # noqa: N801
    """An Excel file that is open for reading, its formulas as their last results."""

    def __init__(self, data: bytes, path: str | Path):
        self._data, self._path = data, path

    def __enter__(self) -> Any:
        # Imported where a spreadsheet is read: tables of text do not wait for it.
        from openpyxl import load_workbook

        try:
            with warnings.catch_warnings():
                # What it leaves out are styles and checks of what is typed in.
                warnings.simplefilter("ignore", UserWarning)
                self._book = load_workbook(io.BytesIO(self._data), read_only=True, data_only=True)
            if not self._book.worksheets:
                raise ValueError("it has no sheet of cells")
        except _DAMAGED as error:
            raise InputError(
                f"The Excel file is damaged: {error}.", file=self._path, remedy="save it once more, as .xlsx."
            ) from error
        return self._book

    def __exit__(self, *_: object) -> None:
        self._book.close()


def _sheet(book: Any, name: str, path: str | Path) -> Any:
    sheets = {sheet.title: sheet for sheet in book.worksheets}
    if name not in sheets:
        raise InputError(
            f"The Excel file has no sheet {name!r}.",
            file=path,
            key="sheet",
            remedy=f"it has {', '.join(map(repr, sheets))}.",
        )
    return sheets[name]


def _text(value: Any) -> str:
    """A cell of a sheet as text: dates as ISO 8601 has them, whole numbers without a point."""
    if value is None:
        return ""
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)
