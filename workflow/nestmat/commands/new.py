"""A first study for a user's own table: the header is read, every choice is written out and explained."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from jinja2 import Environment

from nestmat.config.loading import study_from
from nestmat.data.cells import text_rows
from nestmat.data.registry import closest
from nestmat.errors import InputError
from nestmat.files import write_text
from nestmat.materials.formulas import parse

_TEMPLATE = Path(__file__).with_name("study.yaml.jinja")
# Names that nestmat's tables use, and those of the blocks written here.
_RESERVED = {"row_id", "row", "formula", "material", "flag"}
_BLOCKS = {"descriptors", "composition", "perovskite", "A", "B", "X"}
# More levels than this are labels of rows rather than classes of them.
_LEVELS = 30
_FEW_ROWS = 50


@dataclass(frozen=True)
class _Header:
    """A column of the user's file: what its cells look like.

    Attributes:
        name: Header.
        key: Name in the study, where the header's cannot be used.
        kind: number, category or text.
        empty: Cells without a value.
        informative: Whether the cells differ, and do not just count the rows.
    """

    name: str
    key: str
    kind: str
    empty: int
    informative: bool


def write_study(
    output: Path,
    *,
    name: str,
    data: Path,
    targets: Sequence[str],
    formula: str | None = None,
    features: Sequence[str] | None = None,
) -> None:
    """Write a commented study of one scale for a table.

    Args:
        output: YAML file to write.
        name: Name of the study.
        data: CSV file with a header line, or Parquet file by its suffix ``.parquet``.
        targets: Columns to predict, each with its unit after a colon if it has one: ``gap:eV``.
        formula: Column of the chemical formula, if there is one.
        features: Columns to learn from; by default every number and category that is no target.

    Raises:
        InputError: The output exists, the file has no such column or no numbers in it, or there is nothing to
            learn from.
    """
    if output.exists():
        raise InputError(
            "The file exists already.", file=output, remedy="choose another name, or delete it first."
        )
    headers, cells = _inspect(data)
    units = dict(_target(text, headers, data) for text in targets)
    for target in units:
        _require(target, headers, data)
        if headers[target].kind != "number":
            raise InputError(
                "The target has cells that are not numbers.",
                file=data,
                column=target,
                value=_first_text(cells[target]),
                remedy="correct the cell, or choose another target.",
            )
    if formula is not None:
        _require(formula, headers, data)
    chosen = _features(headers, features, [*units, formula], data)
    if not chosen and formula is None:
        raise InputError(
            "The table has no column to learn from.", file=data, remedy="give --formula, --features, or both."
        )
    text = _render(name, data, headers, cells, chosen, units, formula)
    study_from(yaml.safe_load(text), file=output)
    write_text(output, text)


def _inspect(data: Path) -> tuple[dict[str, _Header], dict[str, list[str]]]:
    names, *rows = [*text_rows(data)] or [[]]
    if not rows:
        raise InputError(
            "The file has no data.", file=data, remedy="give a header line and at least one row."
        )
    headers, cells = {}, {}
    for place, column in enumerate(names):
        if not column:
            continue
        if names.count(column) > 1:
            raise InputError(
                "The column occurs twice in the header.", file=data, column=column, remedy="rename one."
            )
        cells[column] = [row[place] if place < len(row) else "" for row in rows]
        headers[column] = _header(column, cells[column])
    return headers, cells


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def _header(name: str, cells: Sequence[str]) -> _Header:
    filled = [cell for cell in cells if cell.casefold() not in ("", "na", "n/a", "nan", "null", "none")]
    levels = len(set(filled))
    if filled and all(_is_number(cell) for cell in filled):
        kind = "number"
    elif 1 < levels <= min(_LEVELS, len(cells) // 2):
        kind = "category"
    else:
        kind = "text"
    key = f"{name}_" if name in _RESERVED | _BLOCKS else name
    return _Header(name, key, kind, len(cells) - len(filled), levels > 1 and not _counts(cells))


def _counts(cells: Sequence[str]) -> bool:
    """Whether the cells number the rows: a model would learn the order of the file from them."""
    return cells[0].isdigit() and list(cells) == [str(int(cells[0]) + i) for i in range(len(cells))]


def _first_text(cells: Sequence[str]) -> str | None:
    return next((cell for cell in cells if cell and not _is_number(cell)), None)


def _target(text: str, headers: dict[str, _Header], data: Path) -> tuple[str, str]:
    """A target and its unit; the whole text where a column has a colon in its name."""
    if text in headers:
        return text, ""
    column, _, unit = text.rpartition(":")
    return (column, unit) if column in headers else (text, "")


def _require(column: str, headers: dict[str, _Header], data: Path) -> None:
    if column not in headers:
        raise InputError(
            f"The file has no column {column!r}{closest(column, headers)}.",
            file=data,
            column=column,
            remedy=f"the file has {', '.join(headers)}.",
        )


def _features(
    headers: dict[str, _Header], names: Sequence[str] | None, excluded: Sequence[str | None], data: Path
) -> list[_Header]:
    """Columns to learn from: the named ones, or all but the formula and the targets."""
    if names is None:
        return [h for h in headers.values() if h.kind != "text" and h.informative and h.name not in excluded]
    for column in names:
        _require(column, headers, data)
        if column in excluded:
            raise InputError(
                "The column cannot be a feature: it is the formula or a target.",
                file=data,
                column=column,
                remedy="leave it out of --features.",
            )
        if headers[column].kind == "text":
            raise InputError(
                "The column holds neither numbers nor a few categories.",
                file=data,
                column=column,
                remedy="leave it out of --features, or make it one of the two.",
            )
    return [headers[column] for column in names]


def _perovskite_sites(formulas: Sequence[str]) -> list[str] | None:
    """Sites with two species or more, where every formula that parses is an ABX3 perovskite; else None."""
    species: dict[str, set[str]] = {"A": set(), "B": set(), "X": set()}
    for text in dict.fromkeys(formulas):
        try:
            formula = parse(text)
        except InputError:
            # Reading the data set rejects the row with this reason.
            continue
        try:
            sites = formula.sites()
        except InputError:
            return None
        for site, fractions in sites.items():
            species[site] |= set(fractions)
    return [site for site, symbols in species.items() if len(symbols) > 1] if all(species.values()) else None


class _Block(NamedTuple):
    """A feature block of the study.

    Attributes:
        name: Its name.
        config: Its kind and what stands after it.
        comment: Comment at the end of its line.
        has_levels: Whether its columns are categories or shares of ions.
    """

    name: str
    config: dict[str, Any]
    comment: str = ""
    has_levels: bool = False


def _blocks(features: Sequence[_Header], formula: str | None, sites: list[str] | None) -> list[_Block]:
    """Feature blocks of the columns, of the composition, and of perovskites."""
    blocks = []
    if numbers := [header.key for header in features if header.kind == "number"]:
        blocks.append(_Block("descriptors", {"columns": numbers}))
    if formula is not None:
        comment = "statistics of elemental properties"
        blocks.append(_Block("composition", {"composition": "magpie"}, comment))
    if sites is not None:
        comment = "tolerance factor, octahedral factor, tau"
        blocks.append(_Block("perovskite", {"perovskite": True}, comment))
        blocks += [_Block(site, {"site": site}, has_levels=True) for site in sites]
    for category in (header.key for header in features if header.kind == "category"):
        name = "is_" + re.sub(r"[^A-Za-z0-9_]", "_", category)
        while name in {block.name for block in blocks}:
            name += "_"
        blocks.append(_Block(name, {"one_hot": category}, "one column a level", has_levels=True))
    return blocks


def _column(header: _Header, unit: str | None) -> dict[str, Any]:
    """What the template writes of a column; a target has a unit, if an empty one."""
    settings: dict[str, Any] = {"kind": header.kind} if header.kind != "number" else {}
    settings |= {"unit": unit} if unit else {}
    settings |= {"label": True} if unit is not None else {}
    settings |= {"header": header.name} if header.key != header.name else {}
    return {"key": header.key, "settings": settings, "empty": header.empty}


def _flow(value: Any) -> str:
    """A value as YAML writes it in one line."""
    dumped = yaml.safe_dump(
        [value], default_flow_style=True, allow_unicode=True, width=float("inf"), sort_keys=False
    )
    return dumped.strip()[1:-1]


def _render(
    name: str,
    data: Path,
    headers: dict[str, _Header],
    cells: dict[str, list[str]],
    features: Sequence[_Header],
    units: dict[str, str],
    formula: str | None,
) -> str:
    """Text of the study."""
    rows = len(next(iter(cells.values())))
    blocks = _blocks(features, formula, None if formula is None else _perovskite_sites(cells[formula]))
    environment = Environment(
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, autoescape=False
    )
    environment.filters["flow"] = _flow
    columns = [_column(headers[target], unit) for target, unit in units.items()]
    columns += [_column(header, None) for header in features]
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        name=name,
        file=data,
        units=list(units),
        formula=formula,
        columns=columns,
        folds=5 if rows >= _FEW_ROWS else 3,
        targets=[headers[target].key for target in units],
        blocks=blocks,
        inputs=[block.name for block in blocks],
    )
