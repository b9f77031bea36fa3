"""A first study for a user's own table: the header is read, every choice is written out and explained."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment

from nestmat.commands.new_inputs import Materials, choose_blocks
from nestmat.config.loading import study_from
from nestmat.data.cells import text_rows
from nestmat.data.registry import closest
from nestmat.errors import InputError
from nestmat.files import write_text

_TEMPLATE = Path(__file__).with_name("study.yaml.jinja")
# Names that nestmat's tables use, and those of the blocks written here.
_RESERVED = {"row_id", "row", "formula", "material", "flag", "fold"}
_BLOCKS = {"descriptors", "fractions", "composition", "alloy", "perovskite", "A", "B", "X"}
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
        binary: Whether the cells are 0 and 1.
    """

    name: str
    key: str
    kind: str
    empty: int
    informative: bool
    binary: bool


def write_study(
    output: Path,
    *,
    name: str,
    data: Path,
    targets: Sequence[str],
    formula: str | None = None,
    features: Sequence[str] | None = None,
    folds: str | None = None,
) -> None:
    """Write a commented study of one scale for a table.

    Args:
        output: YAML file to write.
        name: Name of the study.
        data: CSV file with a header line, or Parquet file by its suffix ``.parquet``.
        targets: Columns to predict, each with its unit after a colon if it has one: ``gap:eV``.
        formula: Column of the chemical formula, if there is one.
        features: Columns to learn from; by default every number and category that is no target.
        folds: Column that states the fold of each material; by default materials are divided at random.

    Raises:
        InputError: The output exists, the file has no such column or no numbers in it, there is nothing to
            learn from, or a fold is not stated.
    """
    if output.exists():
        raise InputError(
            "The file exists already.", file=output, remedy="choose another name, or delete it first."
        )
    cells = _read_cells(data)
    if formula is not None:
        _require(formula, cells, data)
    materials = None if formula is None else Materials.of(cells[formula])
    reserved = _RESERVED | _BLOCKS | (materials.columns if materials else set())
    headers = {name: _header(name, column, reserved) for name, column in cells.items()}
    units = dict(_target(text, headers) for text in targets)
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
    if folds is not None:
        _require(folds, headers, data)
        _check_folds(headers[folds], cells[folds], data)
    chosen = _features(headers, features, [*units, formula, folds], data)
    if not chosen and formula is None:
        raise InputError(
            "The table has no column to learn from.", file=data, remedy="give --formula, --features, or both."
        )
    text = _render(name, data, headers, cells, chosen, units, formula, materials, folds)
    study_from(yaml.safe_load(text), file=output)
    write_text(output, text)


def _read_cells(data: Path) -> dict[str, list[str]]:
    """Cells of each column of a file.

    Raises:
        InputError: The file has no data, or a header twice.
    """
    names, *rows = [*text_rows(data)] or [[]]
    if not rows:
        raise InputError(
            "The file has no data.", file=data, remedy="give a header line and at least one row."
        )
    cells = {}
    for place, column in enumerate(names):
        if not column:
            continue
        if names.count(column) > 1:
            raise InputError(
                "The column occurs twice in the header.", file=data, column=column, remedy="rename one."
            )
        cells[column] = [row[place] if place < len(row) else "" for row in rows]
    return cells


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def _header(name: str, cells: Sequence[str], reserved: Collection[str]) -> _Header:
    filled = [cell for cell in cells if cell.casefold() not in ("", "na", "n/a", "nan", "null", "none")]
    levels = len(set(filled))
    if filled and all(_is_number(cell) for cell in filled):
        kind = "number"
    elif 1 < levels <= min(_LEVELS, len(cells) // 2):
        kind = "category"
    else:
        kind = "text"
    key = f"{name}_" if name in reserved else name
    binary = kind == "number" and {float(cell) for cell in filled} == {0.0, 1.0}
    return _Header(name, key, kind, len(cells) - len(filled), levels > 1 and not _counts(cells), binary)


def _counts(cells: Sequence[str]) -> bool:
    """Whether the cells number the rows: a model would learn the order of the file from them."""
    return cells[0].isdigit() and list(cells) == [str(int(cells[0]) + i) for i in range(len(cells))]


def _first_text(cells: Sequence[str]) -> str | None:
    return next((cell for cell in cells if cell and not _is_number(cell)), None)


def _target(text: str, headers: Mapping[str, _Header]) -> tuple[str, str]:
    """A target and its unit; the whole text where a column has a colon in its name."""
    if text in headers:
        return text, ""
    column, _, unit = text.rpartition(":")
    return (column, unit) if column in headers else (text, "")


def _require(column: str, headers: Collection[str], data: Path) -> None:
    if column not in headers:
        raise InputError(
            f"The file has no column {column!r}{closest(column, headers)}.",
            file=data,
            column=column,
            remedy=f"the file has {', '.join(headers)}.",
        )


def _check_folds(header: _Header, cells: Sequence[str], data: Path) -> None:
    """Check that every cell states one of some folds."""
    if header.empty or len(set(cells)) < 2:
        raise InputError(
            f"The column leaves the fold of {header.empty} rows open."
            if header.empty
            else "The column states one fold only: nothing is left to train on.",
            file=data,
            column=header.name,
            remedy="state one of two folds or more in every row, or leave --folds out.",
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
                "The column cannot be a feature: it is the formula, a target or that of the folds.",
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


def _is_class(header: _Header, unit: str) -> bool:
    """Whether a target is classified: 0 and 1 without a unit."""
    return header.binary and not unit


def _third_baseline(classes: Collection[bool]) -> list[str]:
    """Baseline beside trees, which fits all targets: numbers, or classes."""
    if all(classes):
        return ["hist_gradient_boosting"]
    return [] if any(classes) else ["gaussian_process"]


def _column(header: _Header, unit: str | None) -> dict[str, Any]:
    """What the template writes of a column; a target has a unit, if an empty one."""
    settings: dict[str, Any] = {"kind": header.kind} if header.kind != "number" else {}
    settings |= {"unit": unit} if unit else {}
    settings |= {"classes": ["0", "1"]} if unit is not None and _is_class(header, unit) else {}
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
    materials: Materials | None,
    folds: str | None,
) -> str:
    """Text of the study."""
    rows = len(next(iter(cells.values())))
    blocks = choose_blocks(
        [header.key for header in features if header.kind == "number"],
        [header.key for header in features if header.kind == "category"],
        materials,
    )
    classes = {target: _is_class(headers[target], unit) for target, unit in units.items()}
    environment = Environment(
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, autoescape=False
    )
    environment.filters["flow"] = _flow
    columns = [_column(headers[target], unit) for target, unit in units.items()]
    columns += [_column(header, None) for header in features]
    if folds is not None:
        columns.append(_column(replace(headers[folds], kind="category"), None))
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        name=name,
        file=data,
        units=list(units),
        formula=formula,
        columns=columns,
        folds=5 if rows >= _FEW_ROWS else 3,
        fold_column=None if folds is None else headers[folds].key,
        targets={headers[target].key: is_class for target, is_class in classes.items()},
        has_numbers=not all(classes.values()),
        has_classes=any(classes.values()),
        transform="" if all(classes.values()) else ", transform: chosen",
        stack=["nestmat", "extra_trees", "xgboost", *_third_baseline(classes.values())],
        blocks=blocks,
        inputs=[block.name for block in blocks],
    )
