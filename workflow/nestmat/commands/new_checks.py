"""What a first study can be made of: folds for its materials, and inputs that do not tell the target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from nestmat.commands.new_columns import Table, TableColumn
from nestmat.data.leaks import suspicious_inputs
from nestmat.errors import InputError
from nestmat.materials.formulas import parse_many

_MANY = 1000
"""Formulas that are materials enough, however they are written."""


def reasons_against(
    columns: Sequence[TableColumn], targets: Mapping[str, tuple[pd.Series, bool]], needed: bool
) -> dict[str, str]:
    """Why columns should not be learned from: they tell a target, or identify the rows.

    Args:
        columns: Columns that could be learned from.
        targets: Values of each target, and whether they are classes.
        needed: Whether there is nothing else to learn from: then the columns that tell a target stay.
    """
    values = {c.name: pd.Series(c.values if c.kind == "number" else c.cells) for c in columns}
    for column in columns:
        values[column.name] = values[column.name].where(column.usable)
    frame = pd.DataFrame(values | {name: series for name, (series, _) in targets.items()})
    classes = [name for name, (_, is_class) in targets.items() if is_class]
    suspicions = suspicious_inputs(frame, [c.name for c in columns], [*targets], classes)
    reasons = {suspicion.column: suspicion.reason for suspicion in suspicions if suspicion.is_certain}
    if needed and len(reasons) == len(columns):
        return {}
    return reasons


def folds_of(table: Table, formula: str | None, group: str | None, used: Sequence[str]) -> int:
    """Number of folds that the materials of a table can be divided into.

    Args:
        table: The table.
        formula: Column of the formula; without one every row is a material.
        group: Column whose values are not divided.
        used: Targets and inputs, without which a row does not count.

    Raises:
        InputError: There are too few materials.
    """
    from nestmat.evaluation.training_rows import USUAL_FOLDS, fewest_materials, suitable_folds

    usable = np.all([table.columns[name].usable for name in used], axis=0)
    noun, names = "rows", [*range(int(usable.sum()))]
    for column, text in ((formula, "materials"), (group, "groups")):
        if column is not None:
            noun, names = text, np.array(table.columns[column].cells, dtype=object)[usable].tolist()
    rows = Counter(names)
    if len(rows) > _MANY:
        return USUAL_FOLDS
    if noun == "materials":
        rows = _rows_of_materials(rows)
    sizes = np.array([*rows.values()], dtype=np.int64)
    if folds := suitable_folds(sizes):
        return folds
    fewest = fewest_materials(float(sizes.mean()) if len(sizes) else 1.0)
    remedy = f"give more {noun}"
    remedy += ": no number of folds can divide a single one" if len(sizes) == 1 else ""
    remedy += (
        "" if usable.all() else f", or leave out columns with empty cells: {usable.sum()} rows have none"
    )
    number = f"{len(sizes)} {noun}" if len(sizes) != 1 else f"1 {noun[:-1]}"
    refused = (
        [error.message for error in parse_many(dict.fromkeys(names)).errors.values()]
        if noun == "materials"
        else []
    )
    also = f" Beside them, {len(refused)} cannot be read: {refused[0]}" if refused else ""
    raise InputError(
        f"{number} {'is' if len(sizes) == 1 else 'are'} too few: at least {fewest} are needed.{also}",
        file=table.file,
        remedy=f"{remedy}.",
    )


def _rows_of_materials(rows: Counter) -> Counter:
    """Rows of each material whose formula can be read, from the rows of each text."""
    parsed = parse_many(rows).formulas
    materials: Counter = Counter()
    for count, formula in zip(rows.values(), parsed, strict=True):
        if formula is not None:
            materials[formula.key] += count
    return materials


def require_varied_targets(columns: Sequence[TableColumn], file: Path) -> None:
    """Check that targets that are numbers have two values or more.

    Raises:
        InputError: One has a single value.
    """
    from nestmat.data.cautions import require_variation

    for column in columns:
        if column.kind == "number":
            require_variation(column.values, column.name, file)
