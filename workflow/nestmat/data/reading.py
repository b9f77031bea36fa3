"""Read the table of a data set: every row is kept, or rejected with a reason."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import logging
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from nestmat import tables
from nestmat.config.datasets import ColumnSpec, DataFile, DatasetSpec
from nestmat.data.registry import closest
from nestmat.errors import InputError
from nestmat.materials.formulas import ELEMENTS, fill_template, parse

_LOG = logging.getLogger(__name__)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_INFINITE = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)
_NO_NUMBER = {"", "na", "n/a", "#n/a", "nan", "null", "none"}
# "None" and "NA" can be levels of a category; these cannot.
_NO_TEXT = {"", "nan", "NaN", "null", "NULL", "N/A", "#N/A"}
_KEYS: tables.Schema = {
    "row_id": tables.Column("int64", role="key", description="data row of the source, counted from 0"),
    "row": tables.Column(
        "int64", role="key", description="line of the CSV file or row of the table, counted from 1"
    ),
    "formula": tables.Column("string", description="formula as the source writes it"),
    "material": tables.Column("string", role="key", description="canonical key of the composition"),
    "flag": tables.Column("string", description="why a label is suspected; empty when it is not"),
}


class Reading(NamedTuple):
    """A data set as read.

    Attributes:
        frame: Rows kept: ``row_id``, ``row``, ``formula``, ``material``, ``flag``, then the declared columns;
            numbers as float64 in the units of the schema, NaN where a missing value is allowed.
        schema: Type, unit, role and description of every column.
        rejects: The rows left out, with the columns of `nestmat.tables.REJECTS`.
        facts: Origin, checksum and row counts; ``rows_read == rows_kept + rows_rejected``.
    """

    frame: pd.DataFrame
    schema: tables.Schema
    rejects: pd.DataFrame
    facts: dict[str, Any]


@dataclass
class _Rows:
    """Cells by column, with the faults and flags found so far by index of the row."""

    lines: list[int]
    cells: dict[str, list[str]]
    blank: int = 0
    ragged: set[int] = field(default_factory=set)
    faults: dict[int, list[tuple[str, str, str]]] = field(default_factory=dict)
    flags: dict[int, list[str]] = field(default_factory=dict)

    def fault(self, index: int, column: str, value: str, reason: str) -> None:
        self.faults.setdefault(index, []).append((column, value, reason))

    def flag(self, index: int, reason: str) -> None:
        self.flags.setdefault(index, []).append(reason)

    def rejects(self) -> pd.DataFrame:
        """The rows with a fault: the first of it, the others named in the reason."""
        found = []
        for index in sorted(self.faults):
            column, value, reason = self.faults[index][0]
            others = "; ".join(f"{c}: {v!r} {r}" for c, v, r in self.faults[index][1:])
            found.append((self.lines[index], column, value, f"{reason}; also {others}" if others else reason))
        frame = pd.DataFrame(found, columns=list(tables.REJECTS))
        return frame.astype({"row": "int64"})


def read(spec: DatasetSpec, *paths: str | Path, name: str = "", targets: Sequence[str] = ()) -> Reading:
    """Read, check and canonicalise a data set.

    A row is rejected when it has another number of cells than the header, a text or a non-finite value in a
    number column, a number that is none of the declared classes, no value in a column that must have one
    (empty, or a declared sentinel), or a formula that does not parse or holds another element than
    ``spec.elements``. Two rows are duplicates when they are the same material and agree in every number and
    category that is not a label; text columns are notes. Duplicates are flagged, and those whose labels
    conflict are rejected where ``spec.duplicates`` says so, all of them, for nothing tells which is right; of
    those whose labels agree the first may be kept alone, and ``first`` keeps it of those whose formulas are
    written alike, whatever their labels.
    A table with types, of a Parquet file or a generator, is held to the same rules: its cells as text, a null
    as an empty one.

    Args:
        spec: Columns, units and origin.
        paths: The file, then those beside it: Parquet by the suffix ``.parquet``, or else CSV, comma
            separated, UTF-8 with or without byte-order mark. Of a generator, what
            `nestmat.data.generators.write_generated` wrote.
        name: Key of the data set, for messages and provenance.
        targets: Columns that the study predicts: labels, beside those that ``spec`` marks.

    Raises:
        InputError: A file is missing, empty, not UTF-8, not CSV or not Parquet, has not the checksum of
            ``spec``, lacks a column or has it twice, or no row of it is usable; the rows of two files do not
            belong together; or ``spec`` names a column or row that is not there.
    """
    _check_names(spec, name, targets)
    source = Path(paths[0])
    rows, checksums = _load(spec, [Path(path) for path in paths])
    values = {key: _values(rows, key, column) for key, column in spec.columns.items()}
    formula, material = _formulas(rows, spec)
    _suspicions(rows, spec, source)
    total = len(rows.lines)
    frame = pd.DataFrame(
        {
            "row_id": np.arange(total),
            "row": np.array(rows.lines, dtype=np.int64),
            "formula": formula,
            "material": material,
            **values,
        }
    )
    _duplicates(rows, frame, spec, targets)
    frame.insert(4, "flag", ["; ".join(rows.flags.get(i, [])) for i in range(total)])
    kept = frame.drop(index=list(rows.faults)).reset_index(drop=True)
    rejects = rows.rejects()
    if kept.empty:
        first = rejects.iloc[0]
        raise InputError(
            f"has no usable row: all {total} are rejected, the first because {first['column']!r} "
            f"{first['reason']}.",
            file=source,
            row=int(first["row"]),
            value=first["value"],
            remedy="compare the columns that the study declares with the data.",
        )
    facts = _facts(spec, name, checksums, total, kept, rejects) | {"blank_lines": rows.blank}
    _LOG.info(
        "%s: %d rows read, %d kept, %d rejected, %d flagged",
        source or f"generator {spec.generator}",
        total,
        len(kept),
        len(rejects),
        facts["rows_flagged"],
    )
    return Reading(kept, _schema(spec, targets), rejects, facts)


def write(reading: Reading, table: str | Path, rejects: str | Path) -> None:
    """Write the rows kept and the rows rejected, both with the provenance of the data set."""
    tables.write(rejects, reading.rejects, tables.REJECTS, reading.facts)
    tables.write(table, reading.frame, reading.schema, reading.facts)


def _check_names(spec: DatasetSpec, name: str, targets: Sequence[str]) -> None:
    for what, column in [("target", t) for t in targets] + [
        ("suspicious", s.column) for s in spec.suspicious
    ]:
        if column not in spec.columns:
            raise InputError(
                f"data set {name!r} declares no such column{closest(column, spec.columns)}, "
                f"but it is named as {what}.",
                column=column,
                remedy=f"declared are {', '.join(spec.columns)}.",
            )
    if unknown := sorted(set(spec.elements or ()) - ELEMENTS):
        raise InputError("is not an element.", column="elements", value=unknown[0], remedy="correct it.")


def _schema(spec: DatasetSpec, targets: Sequence[str]) -> tables.Schema:
    def column(key: str, c: ColumnSpec) -> tables.Column:
        role = "target" if key in targets else "category" if c.kind == "category" else ""
        dtype = "float64" if c.kind == "number" else "string"
        return tables.Column(
            dtype,
            unit=c.unit,
            role=role,
            description=c.description,
            uncertainty=c.uncertainty,
            classes=tuple(c.classes or ()),
        )

    return {**_KEYS, **{key: column(key, c) for key, c in spec.columns.items()}}


def _facts(
    spec: DatasetSpec,
    name: str,
    checksums: Sequence[str],
    total: int,
    kept: pd.DataFrame,
    rejects: pd.DataFrame,
) -> dict[str, Any]:
    return {
        "dataset": name,
        **spec.model_dump(include={"title", "description", "doi", "citation", "licence", "url", "file"}),
        "generator": spec.generator and {"name": spec.generator, **spec.options},
        "sha256": None if spec.generator else checksums[0],
        "beside": [
            {"url": part.url, "file": part.file, "sha256": checksum}
            for part, checksum in zip(spec.further_files, checksums[1:], strict=True)
        ],
        "rows_read": total,
        "rows_kept": len(kept),
        "rows_rejected": len(rejects),
        "rows_flagged": int((kept["flag"] != "").sum()),
    }


class _Lines(Iterator[str]):
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
    data, _ = _bytes(path, None)
    if _is_parquet(path):
        table = tables.foreign(data, path)
        yield table.column_names
        for cells in zip(*(tables.texts(column) for column in table.columns), strict=True):
            yield [cell.strip() for cell in cells]
        return
    lines = _Lines(_text(data, path), comment)
    reader = csv.reader(lines, strict=True)
    try:
        for found in reader:
            lines.within = False
            if any(cell.strip() for cell in found):
                yield [cell.strip() for cell in found]
    except csv.Error as error:
        raise _not_csv(error, path, reader.line_num) from error


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() == ".parquet"


def _not_csv(error: csv.Error, path: Path, line: int) -> InputError:
    return InputError(
        f"is not valid CSV: {error}.",
        file=path,
        row=line,
        remedy="look for a quotation mark that is not closed on this line.",
    )


def _load(spec: DatasetSpec, paths: Sequence[Path]) -> tuple[_Rows, list[str]]:
    """The rows of all files side by side, and the checksum of each file."""
    if len(paths) != len(spec.files):
        raise InputError(f"{len(spec.files)} files make up data set {spec.title!r}, not {len(paths)}.")
    needed = _needed(spec)
    # A single file says itself what it lacks, with its own line.
    owners = _owners(spec, needed, paths) if spec.further_files else dict.fromkeys(needed, 0)
    parts, checksums = [], []
    for k, (part, path) in enumerate(zip(spec.files, paths, strict=True)):
        data, checksum = _bytes(path, part.sha256)
        mine = {key: header for key, header in needed.items() if owners[key] == k}
        if _is_parquet(path):
            parts.append(_typed(spec, mine, tables.foreign(data, path), path))
        else:
            parts.append(_csv(part, mine, _text(data, path), path))
        checksums.append(checksum)
    rows = parts[0]
    for path, other in zip(paths[1:], parts[1:], strict=True):
        _join(rows, other, paths[0], path)
    return rows, checksums


def _owners(spec: DatasetSpec, needed: Mapping[str, str], paths: Sequence[Path]) -> dict[str, int]:
    """Number of the file that has each column; the first for what none has."""
    headers = [
        part.names or next(text_rows(path, part.comment))
        for part, path in zip(spec.files, paths, strict=True)
    ]
    owners = {}
    for key, name in needed.items():
        found = [k for k, header in enumerate(headers) if name in header]
        if len(found) > 1:
            raise InputError(
                f"is a column of {paths[found[0]]} too.",
                file=paths[found[1]],
                column=name,
                remedy="rename it in one of the files.",
            )
        owners[key] = found[0] if found else 0
    return owners


def _join(rows: _Rows, other: _Rows, path: Path, other_path: Path) -> None:
    """Put the columns of another file beside the rows of the first."""
    if len(other.lines) != len(rows.lines):
        raise InputError(
            f"has {len(other.lines)} rows, and {path} has {len(rows.lines)}.",
            file=other_path,
            remedy="the files must hold the same rows in the same order.",
        )
    ours, theirs = (np.array(lines) - lines[0] for lines in (rows.lines, other.lines))
    if (shifted := np.flatnonzero(ours != theirs)).size:
        raise InputError(
            f"has this row where line {rows.lines[shifted[0]]} of {path} belongs beside it: a blank line or "
            "a line break in a cell stands in one of the files.",
            file=other_path,
            row=other.lines[shifted[0]],
            remedy="take it out, so that the files are row by row the same.",
        )
    rows.cells |= other.cells
    rows.ragged |= other.ragged
    for index, faults in other.faults.items():
        for column, value, reason in faults:
            rows.fault(index, column, value, f"{reason} in {other_path.name}")


def _typed(spec: DatasetSpec, needed: Mapping[str, str], table: pa.Table, path: Path) -> _Rows:
    """The rows of a table with types, its cells as text."""
    if not table.num_rows:
        raise InputError("has no rows.", file=path, remedy="give at least one row of data.")
    for key, header in needed.items() if spec.generator else ():
        if header not in table.column_names:
            raise InputError(
                f"generator {spec.generator!r} makes no such column{closest(header, table.column_names)}.",
                column=key.removeprefix("formula/"),
                remedy=f"it makes {', '.join(table.column_names)}.",
            )
    places = _places(table.column_names, needed, path, None)
    cells = {place: [text.strip() for text in tables.texts(table.column(place))] for place in places.values()}
    lines = list(range(1, table.num_rows + 1))
    return _Rows(lines, {key: cells[place] for key, place in places.items()})


def _bytes(path: Path, checksum: str | None) -> tuple[bytes, str]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot be read: {error.strerror}.", file=path, remedy="check the path of the data set."
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if checksum and found != checksum:
        raise InputError(
            f"has another checksum than the registry: sha256 {found}, expected {checksum}.",
            file=path,
            remedy="delete the file and run again to fetch it anew.",
        )
    return data, found


def _text(data: bytes, path: Path) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InputError("is UTF-16, not UTF-8.", file=path, remedy="save it as `CSV UTF-8`.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            "is not UTF-8.",
            file=path,
            row=data.count(b"\n", 0, error.start) + 1,
            value=data[error.start : error.end],
            remedy="save it as `CSV UTF-8`.",
        ) from error
    if not text.strip():
        raise InputError("is empty.", file=path, remedy="give a CSV file with a header line and data.")
    return text


def _needed(spec: DatasetSpec) -> dict[str, str]:
    """Headers to read by column: the declared columns, and what the formula is made of."""
    needed = {key: column.header or key for key, column in spec.columns.items()}
    parts = [spec.formula] if spec.formula else template_parts(spec.formula_template or "")
    return needed | {f"formula/{part}": needed.get(part, part) for part in parts}


def template_parts(template: str) -> list[str]:
    """Columns that a formula template is made of."""
    return [part.strip() for part in re.findall(r"\{([^{}]+)\}", template)]


def _csv(part: DataFile, needed: Mapping[str, str], text: str, path: Path) -> _Rows:
    lines = _Lines(text, part.comment)
    reader = csv.reader(lines, strict=True)
    header = part.names
    places = _places(header, needed, path, None) if header else {}
    rows = _Rows([], {key: [] for key in places})
    line = 1
    try:
        comments = 0
        for cells in reader:
            lines.within = False
            if not any(cell.strip() for cell in cells):
                rows.blank += header is not None and lines.comments == comments
            elif header is None:
                header = [cell.strip() for cell in cells]
                places = _places(header, needed, path, line)
                rows.cells = {key: [] for key in places}
            else:
                _append(rows, header, places, cells, line)
            line, comments = reader.line_num + 1, lines.comments
    except csv.Error as error:
        raise _not_csv(error, path, line) from error
    if not rows.lines:
        raise InputError("has a header and no data.", file=path, remedy="give at least one row of data.")
    return rows


def _places(header: Sequence[str], needed: Mapping[str, str], path: Path, line: int | None) -> dict[str, int]:
    places = {}
    for key, name in needed.items():
        found = [place for place, cell in enumerate(header) if cell == name]
        if len(found) > 1:
            raise InputError(
                f"has the column {len(found)} times, as columns {', '.join(str(p + 1) for p in found)}.",
                file=path,
                row=line,
                column=name,
                remedy="rename or delete all but one.",
            )
        if not found:
            listed = ", ".join(cell for cell in header if cell)
            odd = len(header) == 1 and any(mark in header[0] for mark in ";\t")
            raise InputError(
                f"has no such column{closest(name, header)}.",
                file=path,
                row=line,
                column=name,
                remedy="save the file with commas between the cells."
                if odd
                else f"the file has {listed}; give the right name, or the file's as `header`.",
            )
        places[key] = found[0]
    return places


def _append(rows: _Rows, header: Sequence[str], places: dict[str, int], cells: list[str], line: int) -> None:
    index = len(rows.lines)
    rows.lines.append(line)
    if len(cells) < len(header) or any(cell.strip() for cell in cells[len(header) :]):
        rows.ragged.add(index)
        reason = f"the line has {len(cells)} cells, the header {len(header)}"
        rows.fault(index, "", f"{len(cells)} cells", reason)
    for key, place in places.items():
        rows.cells[key].append("" if index in rows.ragged else cells[place].strip())


def _values(rows: _Rows, key: str, column: ColumnSpec) -> np.ndarray:
    parsed = _number if column.kind == "number" else _string
    empty = math.nan if column.kind == "number" else None
    values = np.full(len(rows.lines), empty, dtype=float if column.kind == "number" else object)
    for index, cell in enumerate(rows.cells[key]):
        if index in rows.ragged:
            continue
        value, reason = parsed(cell, column.sentinels)
        if reason is None and column.classes and value not in range(len(column.classes)):
            known = ", ".join(f"{number} ({name})" for number, name in enumerate(column.classes))
            reason = f"is not the number of a class: {known}"
        if reason is None:
            values[index] = value
        elif column.missing == "level":
            values[index] = NOT_STATED
        elif column.missing == "reject" or not reason.startswith(_MISSING):
            rows.fault(index, key, cell, reason)
    return values


_MISSING = "is missing"
NOT_STATED = "not stated"


def _number(cell: str, sentinels: Sequence[float]) -> tuple[float, str | None]:
    if cell.casefold() in _NO_NUMBER:
        return math.nan, _MISSING
    if not _NUMBER.fullmatch(cell):
        if _INFINITE.fullmatch(cell):
            return math.nan, "is not finite"
        hint = " (write a decimal point, not a comma)" if _NUMBER.fullmatch(cell.replace(",", ".", 1)) else ""
        return math.nan, f"is not a number{hint}"
    value = float(cell)
    if value in sentinels:
        return math.nan, f"{_MISSING}: {cell} is declared to stand for no value"
    return value, None if math.isfinite(value) else "is not finite"


def _string(cell: str, _sentinels: Sequence[float]) -> tuple[str | None, str | None]:
    return (None, _MISSING) if cell in _NO_TEXT else (cell, None)


def _formulas(rows: _Rows, spec: DatasetSpec) -> tuple[list[str], list[str]]:
    """Formula as written and canonical key of every row."""
    total = len(rows.lines)
    template = spec.formula_template
    parts = [spec.formula] if spec.formula else template_parts(template or "")
    if not parts:
        return [""] * total, [f"row {i}" for i in range(total)]
    cells = {part: rows.cells[f"formula/{part}"] for part in parts}
    column = spec.formula or "formula"
    allowed = None if spec.elements is None else frozenset(spec.elements)
    known: dict[str, tuple[str, str | None]] = {}
    written, keys = [], []
    for index in range(total):
        mapping = {part: values[index] for part, values in cells.items()}
        lacking = [part for part, cell in mapping.items() if cell in _NO_TEXT]
        text = key = ""
        if lacking and index not in rows.ragged:
            rows.fault(index, lacking[0], mapping[lacking[0]], _MISSING)
        elif not lacking:
            text = fill_template(template, mapping) if template else mapping[column]
            if text not in known:
                known[text] = _key(text, allowed)
            key, reason = known[text]
            if reason:
                rows.fault(index, column, text, reason)
        written.append(text)
        keys.append(key)
    return written, keys


def _key(text: str, allowed: frozenset[str] | None) -> tuple[str, str | None]:
    """Canonical key of a formula, and why its row is rejected, if it is."""
    try:
        formula = parse(text)
    except InputError as error:
        return "", error.rejection
    others = allowed is not None and {e.symbol for e in formula.composition} - allowed
    return formula.key, "holds another element than those of the data set" if others else None


def _suspicions(rows: _Rows, spec: DatasetSpec, path: Path | None) -> None:
    index = {line: i for i, line in enumerate(rows.lines)}
    for suspicion in spec.suspicious:
        if suspicion.row not in index:
            raise InputError(
                "has no data in the row that is listed as suspicious.",
                file=path,
                row=suspicion.row,
                column=suspicion.column,
                remedy="correct the number: rows count from 1, in a CSV file as its lines, with the header.",
            )
        rows.flag(index[suspicion.row], f"{suspicion.column}: {suspicion.reason}")


def _duplicates(rows: _Rows, frame: pd.DataFrame, spec: DatasetSpec, targets: Sequence[str]) -> None:
    if spec.duplicates == "keep":
        return
    labels = [key for key, c in spec.columns.items() if c.label or key in targets]
    inputs = [key for key, c in spec.columns.items() if c.kind != "text" and key not in labels]
    by = inputs + (["material"] if spec.formula or spec.formula_template else [])
    if not by:
        return
    if spec.duplicates == "first":
        _repetitions(rows, frame, ["formula", *inputs], labels)
    usable = frame.drop(index=list(rows.faults))
    repeated = usable[usable.duplicated(by, keep=False)]
    for _, group in repeated.groupby(by, dropna=False, sort=False):
        differing = _differing(group, labels)
        for index, line in zip(group.index.tolist(), group["row"], strict=True):
            others = _listed([other for other in group["row"] if other != line])
            if not differing:
                if spec.duplicates != "reject":
                    rows.flag(index, f"repeats {others}")
                elif index != group.index[0]:
                    rows.fault(index, "", f"row {group['row'].iloc[0]}", "repeats an earlier row")
                continue
            column = differing[0]
            reason = f"has the same inputs as {others} and another {' and '.join(differing)}"
            if spec.duplicates in ("flag", "first"):
                rows.flag(index, f"{column}: {reason}")
            else:
                rows.fault(index, column, str(group.at[index, column]), reason)


def _repetitions(rows: _Rows, frame: pd.DataFrame, by: list[str], labels: Sequence[str]) -> None:
    """Leave out the rows that repeat an earlier one, whatever their labels."""
    usable = frame.drop(index=list(rows.faults))
    for _, group in usable[usable.duplicated(by, keep=False)].groupby(by, dropna=False, sort=False):
        first, *others = group.index.tolist()
        reason = f"repeats row {rows.lines[first]}"
        for index in others:
            if differing := _differing(group.loc[[first, index]], labels):
                more = f" with another {' and '.join(differing)}"
                rows.fault(index, differing[0], str(group.at[index, differing[0]]), reason + more)
            else:
                rows.fault(index, "", "", reason)


def _differing(group: pd.DataFrame, labels: Sequence[str]) -> list[str]:
    return [label for label in labels if group[label].nunique(dropna=False) > 1]


def _listed(lines: list[int]) -> str:
    shown = ", ".join(str(line) for line in lines[:3])
    more = f" and {len(lines) - 3} more" if len(lines) > 3 else ""
    return f"row{'s' if len(lines) > 1 else ''} {shown}{more}"
