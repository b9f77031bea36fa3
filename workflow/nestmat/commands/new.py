"""A first study for a user's own table: the header is read, every choice is written out and explained."""

from __future__ import annotations

import math
import re
import shlex
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment

from nestmat.commands.new_inputs import Materials, choose_blocks
from nestmat.commands.new_search import FirstSearch, first_search
from nestmat.commands.new_targets import (
    CLASS,
    COUNT,
    check_class_sizes,
    check_counts,
    classes_of,
    head_of,
    parse_target,
)
from nestmat.config.base import LONGEST_NAME, NAME_PATTERN
from nestmat.config.loading import study_from
from nestmat.data.cells import text_rows
from nestmat.data.registry import closest
from nestmat.errors import InputError
from nestmat.files import write_text
from nestmat.materials.percentages import Fractions

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
        levels: Distinct cells with their number of rows, in ascending order; of many none.
    """

    name: str
    key: str
    kind: str
    empty: int
    informative: bool
    levels: Mapping[str, int]

    @property
    def is_binary(self) -> bool:
        """Whether the cells are 0 and 1."""
        return self.kind == "number" and {float(level) for level in self.levels} == {0.0, 1.0}


def write_study(
    output: Path,
    *,
    name: str,
    data: Path,
    targets: Sequence[str],
    formula: str | None = None,
    fractions: Fractions | None = None,
    features: Sequence[str] | None = None,
    folds: str | None = None,
    group: str | None = None,
    weights: str | None = None,
    search: bool = False,
) -> Sequence[str]:
    """Write a commented study of one scale for a table.

    Args:
        output: YAML file to write.
        name: Name of the study.
        data: CSV file with a header line, or Parquet file by its suffix ``.parquet``.
        targets: Columns to predict, each with its unit after a colon if it has one, and after another the
            column of its standard uncertainties: ``gap``, ``gap:eV``, ``gap:eV:gap_error``. Text of a few
            levels, zeros and ones without a unit, and any column of a few levels with ``class`` in place of
            the unit are classes; ``count`` in place of it says that whole numbers are counts.
        formula: Column of the chemical formula, if there is one.
        fractions: What the numbers of the formulas are fractions of; by default they are amounts of atoms.
        features: Columns to learn from; by default every number and category that is no target.
        folds: Column that states the fold of each material; by default materials are divided at random.
        group: Column, such as a publication or a batch: materials that share a value are in one fold.
        weights: Column that states how much each row counts in training; by default all count alike.
        search: Whether the study also designs: a space around the materials of the table, with targets to
            fill in and judges.

    Returns:
        What is odd about the formulas, in whole sentences.

    Raises:
        InputError: The name is none of a study, the output exists, the file has no such column or no numbers
            in it, there is nothing to learn from, or a fold is not stated.
    """
    _check_name(name)
    if output.exists():
        raise InputError(
            "The file exists already.", file=output, remedy="choose another name, or delete it first."
        )
    cells = _read_cells(data)
    if formula is not None:
        _require(formula, cells, data)
    materials = None if formula is None else Materials.of(cells[formula], formula, fractions)
    reserved = _RESERVED | _BLOCKS | (materials.columns if materials else set())
    headers = {name: _header(name, column, reserved) for name, column in cells.items()}
    parsed = [parse_target(text, headers) for text in targets]
    units = {target.column: target.unit for target in parsed}
    uncertainties = {target.column: target.uncertainty for target in parsed if target.uncertainty}
    for column in [*uncertainties.values(), *([weights] if weights else [])]:
        _require(column, headers, data)
        _require_numbers(headers[column], cells[column], data, "how much rows count")
    for target in units:
        _require(target, headers, data)
        if classes_of(headers[target], units[target]) or units[target] == CLASS:
            check_class_sizes(headers[target], data)
        else:
            _require_numbers(headers[target], cells[target], data, "the target")
            if units[target] == COUNT:
                check_counts(headers[target], _numbers(cells[target]), data)
    if folds is not None:
        _require(folds, headers, data)
        _check_folds(headers[folds], cells[folds], data)
    if group is not None:
        _require(group, headers, data)
        _check_groups(headers[group], folds, data)
    used = [*units, *uncertainties.values(), formula, folds, group, weights]
    chosen = _features(headers, features, used, data)
    if not chosen and formula is None:
        raise InputError(
            "The table has no column to learn from.", file=data, remedy="give --formula, --features, or both."
        )
    heads = {
        target: head_of(headers[target], unit, _numbers(cells[target])) for target, unit in units.items()
    }
    choice = _Choice(headers, chosen, units, uncertainties, heads, folds, group, weights)
    first = _first_search(choice, cells, materials, data) if search else None
    text = _render(name, output, data, choice, len(cells[next(iter(cells))]), formula, materials, first)
    study_from(yaml.safe_load(text), file=output)
    write_text(output, text)
    return materials.warnings if materials else ()


def _check_name(name: str) -> None:
    if re.fullmatch(NAME_PATTERN, name) and len(name) <= LONGEST_NAME:
        return
    # Of letters with marks the letters stay: Lösung becomes Losung.
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    proposal = re.sub("[^A-Za-z0-9]+", "_", plain).strip("_")
    proposal = proposal if proposal[:1].isalpha() else f"study_{proposal}".rstrip("_")
    raise InputError(
        f"The name of a study is at most {LONGEST_NAME} letters, digits and underscores, a letter first.",
        value=name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}...",
        remedy=f"call it {proposal[:LONGEST_NAME].rstrip('_')}, for example.",
    )


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
    counts = Counter(filled)
    levels = len(counts)
    if filled and all(_is_number(cell) for cell in filled):
        kind = "number"
    elif 1 < levels <= min(_LEVELS, len(cells) // 2):
        kind = "category"
    else:
        kind = "text"
    key = f"{name}_" if name in reserved else name
    ordered = sorted(counts, key=float) if kind == "number" else sorted(counts)
    shown = {level: counts[level] for level in ordered} if levels <= _LEVELS else {}
    return _Header(name, key, kind, len(cells) - len(filled), levels > 1 and not _counts(cells), shown)


def _counts(cells: Sequence[str]) -> bool:
    """Whether the cells number the rows: a model would learn the order of the file from them."""
    return cells[0].isdigit() and list(cells) == [str(int(cells[0]) + i) for i in range(len(cells))]


def _numbers(cells: Sequence[str]) -> list[float]:
    """The cells that are numbers."""
    return [float(cell) for cell in cells if _is_number(cell)]


def _first_text(cells: Sequence[str]) -> str | None:
    return next((cell for cell in cells if cell and not _is_number(cell)), None)


def _require(column: str, headers: Collection[str], data: Path) -> None:
    if column not in headers:
        raise InputError(
            f"The file has no column {column!r}{closest(column, headers)}.",
            file=data,
            column=column,
            remedy=f"the file has {', '.join(headers)}.",
        )


def _require_numbers(header: _Header, cells: Sequence[str], data: Path, use: str) -> None:
    if header.kind != "number":
        raise InputError(
            f"The column states {use}, and has cells that are not numbers.",
            file=data,
            column=header.name,
            value=_first_text(cells),
            remedy="correct the cell, or choose another column.",
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


def _check_groups(header: _Header, folds: str | None, data: Path) -> None:
    """Check that every row states a group, and that no other column states the folds."""
    if header.empty or folds is not None:
        raise InputError(
            f"The column leaves the group of {header.empty} rows open."
            if header.empty
            else "Groups divide the materials where folds are drawn, and --folds states the folds.",
            file=data,
            column=header.name,
            remedy="state a group in every row, or leave --group out."
            if header.empty
            else "give one of --folds and --group.",
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
                "The column cannot be a feature: it is the formula, a target, or that of folds, weights or "
                "uncertainties.",
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


def _third_baseline(classes: Collection[bool]) -> list[str]:
    """Baseline beside trees, which fits all targets: numbers, or classes."""
    if all(classes):
        return ["hist_gradient_boosting"]
    return [] if any(classes) else ["gaussian_process"]


@dataclass(frozen=True)
class _Choice:
    """What the columns of the file are used for.

    Attributes:
        headers: Columns of the file, by name.
        features: Columns to learn from.
        units: Unit of each target, by its column.
        uncertainties: Column of standard uncertainties, by the column of the target.
        heads: Loss and transform of the head of each target, by its column.
        folds: Column of folds.
        group: Column of what stays together in the folds.
        weights: Column of weights.
    """

    headers: Mapping[str, _Header]
    features: Sequence[_Header]
    units: Mapping[str, str]
    uncertainties: Mapping[str, str]
    heads: Mapping[str, Mapping[str, str]]
    folds: str | None
    group: str | None
    weights: str | None

    def key(self, column: str | None) -> str | None:
        """Name of a column in the study."""
        return None if column is None else self.headers[column].key

    @property
    def classes(self) -> dict[str, Sequence[str]]:
        """Names of the classes of each target, by its name in the study; none of a number."""
        return {
            self.headers[target].key: classes_of(self.headers[target], unit)
            for target, unit in self.units.items()
        }

    @property
    def columns(self) -> list[dict[str, Any]]:
        """What the template writes of each column."""
        columns = [self._target(self.headers[target], unit) for target, unit in self.units.items()]
        columns += [_column(header) for header in self.features]
        further = dict.fromkeys([*self.uncertainties.values(), *([self.weights] if self.weights else [])])
        columns += [_column(self.headers[column]) for column in further]
        for column in filter(None, [self.folds, self.group]):
            columns.append(_column(replace(self.headers[column], kind="category")))
        return columns

    def _target(self, header: _Header, unit: str) -> dict[str, Any]:
        names = classes_of(header, unit)
        own: dict[str, Any] = {"unit": unit} if unit not in ("", COUNT) and not names else {}
        own |= {"kind": "category"} if names and not header.is_binary else {}
        own |= {"classes": [*names]} if names else {}
        uncertainty = self.key(self.uncertainties.get(header.name))
        own |= {"uncertainty": uncertainty} if uncertainty else {}
        return _column(header, {**own, "label": True})


def _column(header: _Header, own: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the template writes of a column, with settings of its own."""
    settings: dict[str, Any] = {"kind": header.kind} if header.kind != "number" else {}
    settings |= own or {}
    settings |= {"header": header.name} if header.key != header.name else {}
    return {"key": header.key, "settings": settings, "empty": header.empty}


def _first_search(
    choice: _Choice, cells: Mapping[str, Sequence[str]], materials: Materials | None, data: Path
) -> FirstSearch:
    """The search of the study, from the rows that have every feature."""
    features = [*choice.features]
    rows = [
        row
        for row in range(len(next(iter(cells.values()))))
        if all(_is_number(cells[h.name][row]) if h.kind == "number" else cells[h.name][row] for h in features)
    ]
    columns = {
        header.key: [
            float(cells[header.name][row]) if header.kind == "number" else cells[header.name][row]
            for row in rows
        ]
        for header in features
    }
    labels = {
        choice.headers[target].key: _numbers(cells[target])
        for target, unit in choice.units.items()
        if not classes_of(choice.headers[target], unit) or choice.headers[target].is_binary
    }
    return first_search(materials, columns, labels, data)


def _flow(value: Any) -> str:
    """A value as YAML writes it in one line."""
    dumped = yaml.safe_dump(
        [value], default_flow_style=True, allow_unicode=True, width=float("inf"), sort_keys=False
    )
    return dumped.strip()[1:-1]


def _render(
    name: str,
    output: Path,
    data: Path,
    choice: _Choice,
    rows: int,
    formula: str | None,
    materials: Materials | None,
    search: FirstSearch | None,
) -> str:
    """Text of the study."""
    blocks = choose_blocks(
        [header.key for header in choice.features if header.kind == "number"],
        [header.key for header in choice.features if header.kind == "category"],
        materials,
    )
    classes = choice.classes
    is_class = [bool(names) for names in classes.values()]
    environment = Environment(
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, autoescape=False
    )
    environment.filters["flow"] = _flow
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        name=name,
        path=shlex.quote(str(output)),
        file=data,
        units=list(choice.units),
        formula=formula,
        fractions=materials and materials.fractions,
        columns=choice.columns,
        folds=5 if rows >= _FEW_ROWS else 3,
        fold_column=choice.key(choice.folds),
        group=choice.key(choice.group),
        weights=choice.key(choice.weights),
        heads={choice.key(target): head for target, head in choice.heads.items()},
        counts=all(unit == COUNT for unit in choice.units.values()),
        has_numbers=not all(is_class),
        has_classes=any(is_class),
        transform="" if all(is_class) else ", transform: chosen",
        stack=["nestmat", "extra_trees", "xgboost", *_third_baseline(is_class)],
        blocks=blocks,
        inputs=[block.name for block in blocks],
        model_inputs=[block.name for block in blocks if search is None or "composition" not in block.config],
        search=search,
    )
