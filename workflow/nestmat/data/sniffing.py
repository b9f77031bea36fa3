"""How a file is written, guessed from its first lines: every guess is a key of the data set and is stated."""

from __future__ import annotations

import csv
import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nestmat.config.data_files import DataFile, format_of
from nestmat.data.numbers import COMMON_MISSING, NO_NUMBER, NumberRules, read_number
from nestmat.data.raw_tables import read_bytes
from nestmat.data.records import Record, sheet_names, sheet_records, text_records
from nestmat.data.signatures import decompress, format_of_content, utf_16_of
from nestmat.data.texts import clean, decode, first_undecodable, single_byte_encoding
from nestmat.data.units import is_unit, strip_brackets

_LINES, _CHARACTERS = 1000, 2_000_000
"""Lines and characters from which is guessed."""
_DELIMITERS = (",", ";", "\t", "|", " ")
_COMMENTS = ("#", "%", "//", "!")
_COMMA_DECIMAL = re.compile(r"[+-−]?(?:\d{1,3}(?:\.\d{3})+|\d+),\d+(?:[eE][+-]?\d+)?", re.ASCII)
_POINT_DECIMAL = re.compile(r"[+-−]?(?:\d{1,3}(?:,\d{3})+|\d+)?\.\d+(?:[eE][+-]?\d+)?", re.ASCII)
_AMBIGUOUS = re.compile(r"[+-−]?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)
_LEADS = ("sep=",)


class FileGuess(NamedTuple):
    """How a file is written.

    Attributes:
        keys: Keys of the data set, those that are not as by default.
        remarks: What was guessed, a sentence each.
        units: Unit of each column that a line of units states, by header.
    """

    keys: dict[str, Any]
    remarks: list[str]
    units: dict[str, str]


def guess_file(path: Path, stated: Mapping[str, Any] | None = None) -> FileGuess:
    """Guess how a file is written, where it is not stated.

    Args:
        path: The file.
        stated: Keys of `DataFile` that are not guessed.

    Raises:
        InputError: The file cannot be read, or is of a kind that holds no table.
    """
    guess = _Guess(path, dict(stated or {}))
    data = decompress(read_bytes(path)[0], path)
    actual = format_of_content(data, path)
    named = format_of(path.name)
    if "format" not in guess.keys and actual != named and (named != "parquet" or actual != "csv"):
        guess.note("format", actual, f"The file is read as {actual}.")
    form = guess.keys.get("format", named)
    if form == "csv":
        _guess_text(guess, data)
    elif form == "excel":
        _guess_sheet(guess, data)
    return FileGuess(guess.keys, guess.remarks, guess.units)


class _Guess:
    """Keys that are stated or guessed so far."""

    def __init__(self, path: Path, keys: dict[str, Any]):
        self.path, self.keys = path, keys
        self.remarks: list[str] = []
        self.units: dict[str, str] = {}

    def note(self, key: str, value: Any, remark: str) -> None:
        if key not in self.keys:
            self.keys[key] = value
            self.remarks.append(remark)

    @property
    def part(self) -> DataFile:
        return DataFile(file=str(self.path), **self.keys)


def _guess_text(guess: _Guess, data: bytes) -> None:
    if utf_16 := utf_16_of(data):
        guess.note("encoding", utf_16, f"The text is {utf_16.upper()}.")
    else:
        line, text = first_undecodable(data)
        if line and (encoding := single_byte_encoding(data)):
            shown = clean(text.encode("latin-1").decode(encoding))[:60]
            remark = f"The text is not UTF-8, and is read as {encoding}: line {line} is {shown!r}."
            guess.note("encoding", encoding, remark)
    text = decode(data, guess.path, guess.keys.get("encoding"))
    sample = _sample(text)
    lines = sample.splitlines()
    if lines[0].lower().startswith(_LEADS) and len(lines[0].strip().strip('"')) in (4, 5):
        mark = lines[0].rstrip("\r\n")[4:5] or ","
        if mark in _DELIMITERS:
            guess.note("delimiter", mark, f"Line 1 states that {_name(mark)} stands between the cells.")
            guess.note("header_line", 2, "Line 1, which states the separator, is left out.")
    _guess_comment(guess, lines)
    if "names" in guess.keys and "delimiter" in guess.keys:
        return
    _guess_delimiter(guess, sample)
    records = _records(sample, guess)
    header = _guess_header(guess, records)
    _guess_units(guess, records, header)
    _guess_marks(guess, records[header + 1 :])


def _sample(text: str) -> str:
    """The first lines of a text, whole ones."""
    start = text[:_CHARACTERS]
    lines = list(itertools.islice(start.splitlines(keepends=True), _LINES + 1))
    if len(start) < len(text) and len(lines) > 3:
        lines = lines[:-1]
    return "".join(lines[:_LINES])


def _guess_comment(guess: _Guess, lines: Sequence[str]) -> None:
    """Lines that begin with a mark, and are not cells: those above the header, or of words."""
    if "comment" in guess.keys:
        return
    first = guess.keys.get("header_line", 1)
    start = next((line for line in lines[first - 1 :] if line.strip()), "")
    for mark in _COMMENTS:
        marked = [k for k, line in enumerate(lines) if line.startswith(mark) and not _is_error(line)]
        if not marked or len(marked) == len(lines) or len(marked) > 0.5 * len(lines) > 10:
            continue
        body = [line for k, line in enumerate(lines) if k not in set(marked) and line.strip()]
        if not start.startswith(mark) and any(_width(lines[k], body) == _usual_width(body) for k in marked):
            continue
        remark = f"Lines that begin with {mark!r} are left out, {len(marked)} of the first {len(lines)}."
        guess.note("comment", mark, remark)
        if start.startswith(mark) and (line := _header_in_comments(guess, lines, marked, mark)):
            guess.note("header_line", line, f"The header is the comment in line {line}.")
        return


def _is_error(line: str) -> bool:
    """Whether a line begins with an error of a spreadsheet, as #N/A, and not with a comment."""
    return bool(re.match(r"#(?:N/A|DIV/0!|VALUE!|REF!|NUM!|NAME\?|NULL!|#)", line))


def _header_in_comments(guess: _Guess, lines: Sequence[str], marked: Sequence[int], mark: str) -> int | None:
    """Line of the last comment above the rows where it names the columns, as NumPy writes it."""
    body = [k for k in range(len(lines)) if k not in set(marked) and lines[k].strip()]
    if not body:
        return None
    first = body[0]
    cells = _split(lines[first], _best_mark([lines[k] for k in body]))
    if first == 0 or first - 1 not in marked or len(cells) < 2 or not any(map(_is_number, cells)):
        return None
    header = _split(lines[first - 1].removeprefix(mark), _best_mark([lines[k] for k in body]))
    fits = len(header) == len(cells) and all(header) and not any(map(_is_number, header))
    return first if fits else None


def _best_mark(lines: Sequence[str]) -> str:
    text = "".join(lines[:20])
    return max(_DELIMITERS[:4], key=text.count) if any(mark in text for mark in _DELIMITERS[:4]) else " "


def _split(line: str, mark: str) -> list[str]:
    if mark == " ":
        return line.split()
    return [clean(cell) for cell in next(csv.reader([line], delimiter=mark), [])]


def _width(line: str, body: Sequence[str]) -> int:
    return len(_split(line, _best_mark(body)))


def _usual_width(body: Sequence[str]) -> int:
    widths = Counter(_width(line, body) for line in body[:200])
    return widths.most_common(1)[0][0] if widths else 0


def _guess_delimiter(guess: _Guess, sample: str) -> None:
    """The mark that divides most lines into the same number of cells, two or more."""
    if "delimiter" in guess.keys:
        return
    scores = {}
    for mark in _DELIMITERS:
        records = _records(sample, guess, delimiter=mark)
        widths = Counter(len(_trim(record.cells)) for record in records)
        width = max((w for w in widths if w > 1), key=lambda w: (widths[w], w), default=0)
        if not width:
            continue
        # Rows may end in cells without a value, which a header does not.
        header = next(r for r in records if len(_trim(r.cells)) >= width)
        width = len(_trim(header.cells))
        share = sum(count for w, count in widths.items() if 1 < w <= width) / len(records)
        plain = not any(map(_is_number, header.cells))
        if mark == " " and (share < 1 or len(records) < 2 or widths[width] < len(records) or not plain):
            continue
        scores[mark] = (share >= 0.5 and plain, share > 0.9, share, width)
    if not scores:
        return
    best = max(scores, key=lambda mark: (scores[mark][0], scores[mark][1]))
    better = [m for m in scores if scores[m][:2] == scores[best][:2] and scores[m][3] > 2 * scores[best][3]]
    best = better[0] if better and best != "," else best
    if best != ",":
        guess.note("delimiter", best, f"{_name(best).capitalize()} stands between the cells.")


def _name(mark: str) -> str:
    return {"\t": "a tab", " ": "a blank"}.get(mark, f"the mark {mark!r}")


def _records(sample: str, guess: _Guess, **keys: Any) -> list[Record]:
    """Records of the first lines that have cells."""
    part = guess.part.model_copy(update=keys)
    records = [record for record in text_records(sample, part, guess.path, strict=False) if record.cells]
    return [Record(record.line, [clean(cell) for cell in record.cells]) for record in records]


def _trim(cells: Sequence[str]) -> list[str]:
    """Cells up to the last that is filled."""
    last = max((place for place, cell in enumerate(cells) if cell.strip()), default=-1)
    return list(cells[: last + 1])


def _is_number(cell: str) -> bool:
    return read_number(cell, NumberRules()).reason is None


def _guess_header(guess: _Guess, records: Sequence[Record]) -> int:
    """Place of the record of the header: the first that is as wide as the rows are, below titles."""
    if "header_line" in guess.keys or "names" in guess.keys or not records:
        return -1 if "names" in guess.keys else 0
    widths = Counter(len(record.cells) for record in records[:200])
    width = max(widths, key=lambda w: (widths[w], w))
    rows = [len(_trim(record.cells)) for record in records[1:200]] or [width]
    usual = min(width, Counter(rows).most_common(1)[0][0])
    wide = (
        place
        for place, record in enumerate(records[:50])
        if len(record.cells) >= usual and sum(map(bool, record.cells)) >= max(1, 0.6 * usual)
    )
    place = next(wide, 0)
    record = records[place]
    if place and not any(_is_number(cell) for cell in record.cells):
        remark = (
            f"The header is in line {record.line}; the {place} line{'s' if place > 1 else ''} above it, "
            f"as {', '.join(filter(None, records[0].cells))[:60]!r}, "
            f"{'are' if place > 1 else 'is'} left out."
        )
        guess.note("header_line", record.line, remark)
        return place
    return 0


def _guess_units(guess: _Guess, records: Sequence[Record], header: int) -> None:
    """A line below the header that states units: above numbers nothing but units or blanks stand in it."""
    if "units_line" in guess.keys or header < 0 or len(records) < header + 3:
        return
    names, line, below = records[header].cells, records[header + 1], records[header + 2 : header + 100]
    units: dict[str, str] = {}
    for place, cell in enumerate(line.cells):
        unit = strip_brackets(cell)
        column = [r.cells[place] for r in below if place < len(r.cells) and r.cells[place]]
        numbers = sum(bool(re.match(r"[+-−]?[.,]?\d", text)) for text in column)
        if re.match(r"[+-−]?[.,]?\d", cell):
            return
        if is_unit(unit) and column and numbers >= 0.5 * len(column) and place < len(names):
            units[names[place]] = unit
        elif cell and cell not in ("-", "–", "—", "1") and not re.fullmatch(_NO_UNIT, unit, re.IGNORECASE):
            return
    if units:
        listed = ", ".join(f"{name!r} {unit}" for name, unit in itertools.islice(units.items(), 6))
        guess.note("units_line", line.line, f"Line {line.line} states units and is no row: {listed}.")
        guess.units = units


_NO_UNIT = "text|string|str|name|formula|category|none|n/?a|unitless|dimensionless|float|int|bool"


def _guess_marks(guess: _Guess, records: Sequence[Record]) -> None:
    """Marks of decimals and of thousands, where the cells show them without doubt."""
    cells = {cell for record in records for cell in record.cells if cell and cell[-1].isdigit()}
    commas = {cell for cell in cells if _COMMA_DECIMAL.fullmatch(cell)}
    points = {cell for cell in cells if _POINT_DECIMAL.fullmatch(cell)}
    clear_commas = {cell for cell in commas if not _AMBIGUOUS.fullmatch(cell)}
    clear_points = {cell for cell in points if not _AMBIGUOUS.fullmatch(cell)}
    between = guess.keys.get("delimiter", ",")
    is_comma = bool(commas) and not clear_points and (bool(clear_commas) or (between == ";" and not points))
    if is_comma:
        example = min(clear_commas or commas)
        guess.note("decimal", ",", f"Numbers have a decimal comma, as {example!r}.")
    decimal = guess.keys.get("decimal", ".")
    clear = clear_commas if decimal == "," else clear_points
    other = "." if decimal == "," else ","
    grouped = sorted(cell for cell in clear if other in cell)
    many = sorted(c for c in cells if re.fullmatch(rf"[+-−]?\d{{1,3}}(?:{re.escape(other)}\d{{3}}){{2,}}", c))
    spaced = sorted(
        cell for cell in cells if re.fullmatch(r"[+-−]?\d{1,3}(?:[ \u00a0]\d{3})+(?:[.,]\d+)?", cell)
    )
    apart = sorted(cell for cell in cells if re.fullmatch(r"[+-−]?\d{1,3}(?:['’]\d{3})+(?:[.,]\d+)?", cell))
    for mark, examples in ((other, grouped or many), ("'", apart), (" ", spaced)):
        if examples and (mark != " " or between != " "):
            guess.note("thousands", mark, f"Thousands are apart by {mark!r}, as in {examples[0]!r}.")
            return


def _guess_sheet(guess: _Guess, data: bytes) -> None:
    names = sheet_names(data, guess.path)
    if len(names) > 1:
        others = ", ".join(map(repr, names[1:5]))
        guess.note("sheet", names[0], f"Sheet {names[0]!r} is read, not {others}.")
    rows = itertools.islice(sheet_records(data, guess.part, guess.path), 300)
    records = [Record(r.line, [clean(cell) for cell in r.cells]) for r in rows if r.cells]
    width = max((len(_trim(record.cells)) for record in records), default=0)
    padded = [Record(r.line, (r.cells + [""] * width)[:width]) for r in records]
    header = _guess_header(guess, padded)
    _guess_units(guess, padded, header)


def is_spelled_missing(cell: str, is_number: bool) -> bool:
    """Whether a cell is a usual spelling of no value that a data set has to declare.

    Args:
        cell: The cell.
        is_number: Whether the others of its column are numbers: words such as `unknown` can be levels.
    """
    folded = cell.casefold()
    if folded in NO_NUMBER or folded not in COMMON_MISSING:
        return False
    return is_number or not folded.isalpha()
