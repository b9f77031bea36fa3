"""Read the table of a data set: every row is kept, or rejected with a reason."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.config.datasets import ColumnSpec, DatasetSpec
from nestmat.data.cells import CellRows, load_cells, template_parts
from nestmat.data.columns import read_column
from nestmat.data.duplicates import find_duplicates
from nestmat.data.formula_cells import FormulaColumn, read_formulas
from nestmat.data.registry import closest
from nestmat.data.weights import check_weights
from nestmat.errors import InputError
from nestmat.materials.formulas import ELEMENTS

_LOG = logging.getLogger(__name__)
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


def read(spec: DatasetSpec, *paths: str | Path, name: str = "", targets: Sequence[str] = ()) -> Reading:
    """Read, check and canonicalise a data set.

    A row is rejected when it has another number of cells than the header, a text or a non-finite value in a
    number column, a cell that is none of the declared classes, no value in a column that must have one
    (empty, or a declared sentinel), or a formula that does not parse or holds another element than
    ``spec.elements``. Two rows are duplicates when they are the same material and agree in every number and
    category that is not a label; text columns are notes. Duplicates are flagged, and those whose labels
    conflict are rejected where ``spec.duplicates`` demands it, all of them, since no one is known right; of
    those whose labels agree the first may be kept alone, and ``first`` keeps it of those whose formulas are
    written alike, whatever their labels.
    A table with types, of a Parquet file or a generator, is held to the same rules: its cells as text, a null
    as an empty one.

    Args:
        spec: Columns, units and origin.
        paths: The file, then the further files, each written as ``spec`` says: nothing is guessed. Of a
            generator, what
            `nestmat.data.generated.write_generated` wrote.
        name: Key of the data set, for messages and provenance.
        targets: Columns that the study predicts: labels, besides those that ``spec`` marks.

    Raises:
        InputError: A file is missing, empty, not UTF-8, not CSV or not Parquet, has not the checksum of
            ``spec``, lacks a column or has it twice, or no row of it is usable; the rows of two files do not
            belong together; ``spec`` names a column or row that is not there; or a weight or an uncertainty
            is none.
    """
    _check_names(spec, name, targets)
    source = Path(paths[0])
    rows, checksums = load_cells(spec, [Path(path) for path in paths])
    values = {key: read_column(rows, key, spec) for key in spec.columns}
    formulas = _formulas(rows, spec)
    _suspicions(rows, spec, source)
    total = len(rows.lines)
    frame = pd.DataFrame(
        {
            "row_id": np.arange(total),
            "row": np.array(rows.lines, dtype=np.int64),
            "formula": formulas.written,
            "material": formulas.keys,
            **values,
        }
    )
    find_duplicates(rows, frame, spec, targets)
    frame.insert(4, "flag", ["; ".join(rows.flags.get(i, [])) for i in range(total)])
    check_weights(rows, frame, spec, source)
    usable = frame.drop(index=list(rows.faults)).reset_index(drop=True)
    rejects = rows.rejects()
    if usable.empty:
        first = rejects.iloc[0]
        raise InputError(
            f"The data set has no usable row: all {total} are rejected, the first because "
            f"{first['column']!r} {first['reason']}{_costliest(rows)}.",
            file=source,
            row=int(first["row"]),
            value=first["value"],
            remedy="compare the columns that the study declares with the data.",
        )
    facts = _facts(spec, name, checksums, total, usable, rejects) | {"blank_lines": rows.blank}
    facts |= {"notes": _notes(rows)} if rows.notes else {}
    facts |= {"warnings": formulas.warnings} if formulas.warnings else {}
    for warning in formulas.warnings:
        _LOG.info("%s", warning)
    _LOG.info(
        "%s: %d rows read, %d kept, %d rejected, %d flagged",
        source or f"generator {spec.generator and spec.generator.kind}",
        total,
        len(usable),
        len(rejects),
        facts["rows_flagged"],
    )
    return Reading(usable, _schema(spec, targets), rejects, facts)


def _costliest(rows: CellRows) -> str:
    """The columns for which most rows are rejected, with the number of rows."""
    counts = Counter(column for faults in rows.faults.values() for column in {fault[0] for fault in faults})
    listed = ", ".join(f"{column!r} {count}" for column, count in counts.most_common(5) if column)
    return f"; most rows are lost for {listed}" if listed else ""


def write(reading: Reading, table: str | Path, rejects: str | Path) -> None:
    """Write the rows kept and the rows rejected, both with the provenance of the data set."""
    tables.write(rejects, reading.rejects, tables.REJECTS, reading.facts)
    tables.write(table, reading.frame, reading.schema, reading.facts)


def _check_names(spec: DatasetSpec, name: str, targets: Sequence[str]) -> None:
    uses = [("a target", target) for target in targets]
    uses += [("suspicious", suspicion.column) for suspicion in spec.suspicious]
    for use, column in uses:
        if column not in spec.columns:
            raise InputError(
                f"Data set {name!r} declares no column {column!r}{closest(column, spec.columns)}, "
                f"but the study names it as {use}.",
                column=column,
                remedy=f"declared are {', '.join(spec.columns)}.",
            )
    if unknown := sorted(set(spec.elements or ()) - ELEMENTS):
        raise InputError(
            f"The symbol {unknown[0]!r} is not an element.",
            key="elements",
            value=unknown[0],
            remedy="correct it.",
        )


def _schema(spec: DatasetSpec, targets: Sequence[str]) -> tables.Schema:
    def column(key: str, c: ColumnSpec) -> tables.Column:
        return tables.Column(
            "float64" if c.is_numeric else "string",
            unit=c.unit,
            role=roles.get(key, ""),
            description=c.description,
            uncertainty=None if isinstance(c.uncertainty, str) else c.uncertainty,
            uncertainty_column=spec.uncertainty_columns.get(key, ""),
            classes=tuple(c.classes or ()),
        )

    roles = {key: "category" for key, c in spec.columns.items() if c.kind == "category" and not c.classes}
    roles |= dict.fromkeys(spec.uncertainty_columns.values(), "uncertainty")
    roles |= {spec.weights: "weight"} if spec.weights else {}
    roles |= dict.fromkeys(targets, "target")

    return {**_KEYS, **{key: column(key, c) for key, c in spec.columns.items()}}


def _facts(
    spec: DatasetSpec,
    name: str,
    checksums: Sequence[str],
    total: int,
    usable: pd.DataFrame,
    rejects: pd.DataFrame,
) -> dict[str, Any]:
    return {
        "dataset": name,
        # Not what the data set is called: other words are no other data, and repeat nothing.
        **spec.model_dump(include={"url", "file"}),
        "generator": spec.generator and {"name": spec.generator.kind, **spec.generator.options},
        "sha256": None if spec.generator else checksums[0],
        "beside": [
            {"url": part.url, "file": part.file, "sha256": checksum}
            for part, checksum in zip(spec.further_files, checksums[1:], strict=True)
        ],
        "rows_read": total,
        "rows_kept": len(usable),
        "rows_rejected": len(rejects),
        "rows_flagged": int((usable["flag"] != "").sum()),
    }


def _notes(rows: CellRows) -> list[dict[str, Any]]:
    """What was understood of cells that are no plain numbers, by column and note."""
    return [
        {"column": column, "note": note, "row": rows.lines[index], "value": cell, "rows": count}
        for (column, note), (index, cell, count) in rows.notes.items()
    ]


def _formulas(rows: CellRows, spec: DatasetSpec) -> FormulaColumn:
    """Formula as written and canonical key of every row; rows without one get a fault."""
    total = len(rows.lines)
    template = spec.formula_template
    parts = [spec.formula] if spec.formula else template_parts(template or "")
    if not parts:
        return FormulaColumn([""] * total, [f"row {i}" for i in range(total)])
    cells = {part: rows.cells[f"formula/{part}"].to_pylist() for part in parts}
    column = read_formulas(
        cells,
        spec.formula or "formula",
        spec.formula_template,
        spec.fractions,
        spec.elements,
        missing=spec.missing_values,
        skipped=rows.ragged,
    )
    for index, name, value, reason in column.faults:
        rows.add_fault(index, name, value, reason)
    return column


def _suspicions(rows: CellRows, spec: DatasetSpec, path: Path | None) -> None:
    index = {line: i for i, line in enumerate(rows.lines)}
    for suspicion in spec.suspicious:
        if suspicion.row not in index:
            raise InputError(
                "The file has no data in the row that is listed as suspicious.",
                file=path,
                row=suspicion.row,
                column=suspicion.column,
                remedy="correct the number: rows count from 1, in a CSV file as its lines, with the header.",
            )
        rows.add_flag(index[suspicion.row], f"{suspicion.column}: {suspicion.reason}")
