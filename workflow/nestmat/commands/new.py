"""A first study for a user's own table: the header is read, every choice is written out and explained."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from jinja2 import Environment

from nestmat.commands.new_checks import folds_of, reasons_against, require_varied_targets
from nestmat.commands.new_columns import (
    Table,
    TableColumn,
    drop_costly,
    read_table,
    require_few_columns,
    split_names,
    why_text,
)
from nestmat.commands.new_inputs import Materials, choose_blocks
from nestmat.commands.new_remarks import remarks_on_columns, remarks_on_left_out
from nestmat.commands.new_search import FirstSearch, first_search
from nestmat.commands.new_targets import (
    CLASS,
    COUNT,
    NamedTarget,
    check_class_sizes,
    check_counts,
    classes_of,
    head_of,
    parse_target,
)
from nestmat.config.base import LONGEST_NAME, NAME_PATTERN
from nestmat.config.data_files import DataFile
from nestmat.config.loading import study_from
from nestmat.data.raw_tables import read_header
from nestmat.data.sniffing import guess_file
from nestmat.errors import InputError
from nestmat.files import write_text
from nestmat.materials.percentages import Fractions

_TEMPLATE = Path(__file__).with_name("study.yaml.jinja")
# Names that nestmat's tables use, and those of the blocks written here.
_RESERVED = {"row_id", "row", "formula", "material", "flag", "fold"}
_BLOCKS = {"descriptors", "fractions", "composition", "alloy", "perovskite", "A", "B", "X"}


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
    reading: Mapping[str, Any] | None = None,
) -> Sequence[str]:
    """Write a commented study of one scale for a table.

    Args:
        output: YAML file to write.
        name: Name of the study.
        data: Table in CSV, Excel, JSON or Parquet, as `nestmat.data.sniffing.guess_file` reads it.
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
        reading: Keys of the data set that say how the file is written; the others are guessed and written.

    Returns:
        How the file was read, what is odd about its cells and formulas, and which columns are left out, in
        whole sentences.

    Raises:
        InputError: The name is none of a study, the output exists, the file has no such column or no numbers
            in it, there is nothing to learn from, or a fold is not stated.
    """
    _check_name(name)
    if output.exists():
        raise InputError(
            "The file exists already.", file=output, remedy="choose another name, or delete it first."
        )
    table, materials, parsed = _read(
        data, reading, formula, fractions, features, [*targets], folds, group, weights
    )
    headers = table.columns
    units = {target.column: target.unit for target in parsed}
    uncertainties = {target.column: target.uncertainty for target in parsed if target.uncertainty}
    for column in [*uncertainties.values(), *([weights] if weights else [])]:
        _require_numbers(table.require(column), data, "how much rows count")
    for target, unit in units.items():
        _check_target(table, target, unit)
    if folds is not None:
        _check_folds(table.require(folds), data)
    if group is not None:
        _check_groups(table.require(group), folds, data)
    used = [*units, *uncertainties.values(), formula, folds, group, weights]
    require_varied_targets([headers[target] for target in units], data)
    chosen, left_out = _features(table, features, used, units, needed=formula is None)
    if not chosen and formula is None:
        raise InputError(
            "The table has no column to learn from.", file=data, remedy="give --formula, --features, or both."
        )
    units = {target: unit or _own_unit(headers[target]) for target, unit in units.items()}
    heads = {
        target: head_of(headers[target], unit, headers[target].numbers) for target, unit in units.items()
    }
    choice = _Choice(headers, chosen, units, uncertainties, heads, folds, group, weights)
    read = [headers[column] for column in [*units, *(c.name for c in chosen), *uncertainties.values()]]
    remarks = [*table.guess.remarks, *remarks_on_columns(table, list({c.name: c for c in read}.values()))]
    remarks += [*remarks_on_left_out(left_out), *(materials.warnings if materials else ())]
    first = _first_search(choice, materials, data) if search else None
    text = _render(name, output, table, choice, formula, materials, first, remarks)
    study_from(yaml.safe_load(text), file=output)
    write_text(output, text)
    return remarks


def _read(
    data: Path,
    reading: Mapping[str, Any] | None,
    formula: str | None,
    fractions: Fractions | None,
    features: Sequence[str] | None,
    targets: Sequence[str],
    *others: str | None,
) -> tuple[Table, Materials | None, list[NamedTarget]]:
    """The table, its materials and the targets, which may be its columns by other names."""
    guess = guess_file(data, reading)
    header = read_header(data, DataFile(file=str(data), **guess.keys))
    parsed = [parse_target(text, header) for text in targets]
    named = None
    if features is not None:
        named = {name for text in features for name in split_names(text, header)}
        named |= {name for target in parsed for name in (target.column, target.uncertainty)}
        named |= {name for name in (formula, *others) if name}
    else:
        require_few_columns(header, data)
    table = read_table(data, guess, named)
    materials = None
    if formula is not None:
        materials = Materials.of(table.require(formula).cells, formula, fractions)
    reserved = _RESERVED | _BLOCKS | (materials.columns if materials else set())
    table.rename(reserved)
    return table, materials, parsed


def _own_unit(column: TableColumn) -> str:
    """Unit that a column of numbers states itself."""
    return column.unit if column.kind == "number" and not column.is_binary else ""


def _check_target(table: Table, target: str, unit: str) -> None:
    """Check that a target has values, and that they are what it is asked for.

    Raises:
        InputError: It has none, or none of the kind that is asked for.
    """
    column, data = table.require(target), table.file
    if not column.usable.any():
        raise InputError(
            "The target has no value in any row.",
            file=data,
            column=target,
            remedy="choose another column.",
        )
    if unit != CLASS:
        # Cells that are no numbers are rejected row by row, as the reader of the study does.
        column = table.as_number(target, 0.0 if unit else 0.5)
    if classes_of(column, unit) or unit == CLASS:
        check_class_sizes(column, data)
    else:
        _require_numbers(column, data, "the target")
        if unit == COUNT:
            check_counts(column, column.numbers, data)


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


def _require_numbers(column: TableColumn, data: Path, use: str) -> None:
    if column.kind != "number":
        first = next(cell for cell, usable in zip(column.cells, column.usable, strict=True) if usable)
        raise InputError(
            f"The column states {use}, and has cells that are not numbers.",
            file=data,
            column=column.name,
            value=first,
            remedy="correct the cell, or choose another column.",
        )


def _check_folds(header: TableColumn, data: Path) -> None:
    """Check that every cell states one of some folds."""
    if header.empty or len(set(header.cells)) < 2:
        raise InputError(
            f"The column leaves the fold of {header.empty} rows open."
            if header.empty
            else "The column states one fold only: nothing is left to train on.",
            file=data,
            column=header.name,
            remedy="state one of two folds or more in every row, or leave --folds out.",
        )


def _check_groups(header: TableColumn, folds: str | None, data: Path) -> None:
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
    table: Table,
    texts: Sequence[str] | None,
    excluded: Sequence[str | None],
    units: Mapping[str, str],
    needed: bool,
) -> tuple[list[TableColumn], dict[str, str]]:
    """Columns to learn from, the named ones or all that can be, and why the others are left out."""
    if texts is None:
        return _usual_features(table, excluded, units, needed)
    names = [name for text in texts for name in split_names(text, table.raw.header)]
    for name in names:
        column = table.require(name)
        if name in excluded:
            raise InputError(
                "The column cannot be a feature: it is the formula, a target, or that of folds, weights or "
                "uncertainties.",
                file=table.file,
                column=name,
                remedy="leave it out of --features.",
            )
        if column.kind == "text":
            raise InputError(
                f"The column holds neither numbers nor a few categories: it {why_text(column)}.",
                file=table.file,
                column=name,
                remedy="leave it out of --features, or make it one of the two.",
            )
    return [table.columns[name] for name in dict.fromkeys(names)], {}


def _usual_features(
    table: Table, excluded: Sequence[str | None], units: Mapping[str, str], needed: bool
) -> tuple[list[TableColumn], dict[str, str]]:
    """All columns that describe materials and cost few rows, and why the others are left out."""
    left_out, candidates = {}, []
    targets = {
        target: (_labels(table.columns[target]), bool(classes_of(table.columns[target], unit)))
        for target, unit in units.items()
    }
    for column in table.columns.values():
        if column.name in excluded:
            continue
        if column.kind == "text":
            left_out[repr(column.name)] = why_text(column)
        elif not column.informative:
            is_constant = len(column.levels) == 1
            left_out[repr(column.name)] = "has a single value" if is_constant else "numbers the rows"
        else:
            candidates.append(column)
    against = reasons_against(candidates, targets, needed)
    left_out |= {repr(name): reason for name, reason in against.items()}
    candidates = [column for column in candidates if column.name not in against]
    labelled = np.any([table.columns[target].usable for target in units], axis=0)
    chosen, costs = drop_costly(candidates, labelled)
    total = int(labelled.sum())
    left_out |= {
        repr(name): f"has no value in {cost} of the {total} labelled rows, which would be rejected"
        for name, cost in costs.items()
    }
    return chosen, left_out | table.unnamed


def _labels(column: TableColumn) -> pd.Series:
    """A target, without a value where it has none."""
    if column.kind == "number":
        return pd.Series(column.values)
    return pd.Series(column.cells, dtype=object).where(column.usable)


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

    headers: Mapping[str, TableColumn]
    features: Sequence[TableColumn]
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
    def missing_values(self) -> list[str]:
        """Spellings of no value in the columns that the study reads."""
        names = [*self.units, *(c.name for c in self.features), *self.uncertainties.values(), self.weights]
        columns = [self.headers[name] for name in names if name]
        return sorted({spelling for column in columns for spelling in column.spelled})

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

    def _target(self, header: TableColumn, unit: str) -> dict[str, Any]:
        names = classes_of(header, unit)
        own: dict[str, Any] = {"unit": unit} if unit not in ("", COUNT) and not names else {}
        own |= {"kind": "category"} if names and not header.is_binary else {}
        own |= {"classes": [*names]} if names else {}
        uncertainty = self.key(self.uncertainties.get(header.name))
        own |= {"uncertainty": uncertainty} if uncertainty else {}
        return _column(header, {**own, "label": True})


def _column(header: TableColumn, own: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the template writes of a column, with settings of its own."""
    settings: dict[str, Any] = {"kind": header.kind} if header.kind != "number" else {}
    settings |= {"unit": header.unit} if header.kind == "number" and header.unit and own is None else {}
    settings |= own or {}
    settings |= {"header": header.name} if header.key != header.name else {}
    return {"key": header.key, "settings": settings, "empty": header.missing}


def _first_search(choice: _Choice, materials: Materials | None, data: Path) -> FirstSearch:
    """The search of the study, from the rows that have every feature."""
    features = [*choice.features]
    usable = [column.usable for column in features]
    rows = np.flatnonzero(np.all(usable, axis=0)).tolist() if features else []
    columns: dict[str, list[Any]] = {}
    for column in features:
        values = column.values.tolist() if column.kind == "number" else column.cells
        columns[column.key] = [values[row] for row in rows]
    labels = {
        choice.headers[target].key: choice.headers[target].numbers
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
    table: Table,
    choice: _Choice,
    formula: str | None,
    materials: Materials | None,
    search: FirstSearch | None,
    remarks: Sequence[str],
) -> str:
    """Text of the study."""
    blocks = choose_blocks(
        [header.key for header in choice.features if header.kind == "number"],
        [header.key for header in choice.features if header.kind == "category"],
        materials,
    )
    used = [*choice.units, *(column.name for column in choice.features)]
    classes = choice.classes
    is_class = [bool(names) for names in classes.values()]
    environment = Environment(
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, autoescape=False
    )
    environment.filters["flow"] = _flow
    # A comment ends with its line, and what cannot be printed is no YAML.
    environment.filters["comment"] = lambda text: "".join(c if c.isprintable() else " " for c in text)
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        name=name,
        path=shlex.quote(str(output)),
        file=table.file,
        reading=table.guess.keys,
        missing_values=choice.missing_values,
        remarks=remarks,
        units=list(choice.units),
        formula=formula,
        fractions=materials and materials.fractions,
        columns=choice.columns,
        folds=None if choice.folds else folds_of(table, formula, choice.group, used),
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
