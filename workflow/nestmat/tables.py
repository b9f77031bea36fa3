"""The only reader and writer of Parquet: explicit schemas, a unit of each column, provenance of each file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import nestmat
from nestmat import seals
from nestmat.errors import InputError
from nestmat.files import replacing, sha256

COPIES = "copies"
"""Key of the provenance: checksums of files that carry none, by their path from the table."""
_TYPES = {
    "string": pa.string(),
    "int64": pa.int64(),
    "int32": pa.int32(),
    "float64": pa.float64(),
    "float32": pa.float32(),
    "bool": pa.bool_(),
}


@dataclass(frozen=True)
class Column:
    """What a column of a table is.

    Attributes:
        dtype: One of string, int64, int32, float64, float32, bool.
        unit: Unit as printed on an axis; empty for a count, a key or a pure number.
        role: What the column is for: key, feature, target, category, site_fraction, weight, uncertainty or
            empty.
        block: Features only: the block of the scale that the column belongs to.
        description: One line for a reader of the file.
        uncertainty: Known standard uncertainty of the values, in their unit.
        uncertainty_column: Column that holds the standard uncertainty of each value; empty where none does.
        classes: Names of the classes that the numbers 0, 1, .. of the column stand for.
    """

    dtype: str
    unit: str = ""
    role: str = ""
    block: str = ""
    description: str = ""
    uncertainty: float | None = None
    uncertainty_column: str = ""
    classes: tuple[str, ...] = ()


Schema = Mapping[str, Column]

REJECTS: Schema = {
    "row": Column("int64", description="line of the CSV file or row of the table, counted from 1"),
    "column": Column("string"),
    "value": Column("string"),
    "reason": Column("string"),
}
FOLDS: Schema = {
    "protocol": Column("string", description="published, strict or a named split"),
    "repeat": Column("int32", description="0 is the split that the protocol names, others are further seeds"),
    "row_id": Column("int64", role="key"),
    "material": Column("string", role="key"),
    "fold": Column("int32", description="the fold that validates this row; -1 when none does"),
    "role": Column(
        "string",
        description=(
            "labelled: trains where it does not validate; unlabelled: seen without label; unused: not seen"
        ),
    ),
    "inner": Column(
        "int32",
        description="fold inside the training rows, of protocols with fewer than four folds; -1 in others",
    ),
    "regions": Column(
        "int64", description="bit k is set where the row is of region k, which some members leave out whole"
    ),
}
HISTORY: Schema = {
    "member": Column("int32"),
    "epoch": Column("int32"),
    "split": Column("string", description="train or validation"),
    "term": Column("string", description="name of the loss term, or total"),
    "loss": Column("float64"),
}
PREDICTIONS: Schema = {
    "protocol": Column("string"),
    "model": Column("string"),
    "target": Column(
        "string",
        description="target; of three classes and more a row for each of them, true 1 for that of the row",
    ),
    "row_id": Column("int64", role="key"),
    "repeat": Column("int32"),
    "fold": Column("int32"),
    "inner": Column(
        "int32",
        description=(
            "-1: trained on all rows outside the fold; k: without fold, or inner fold, k too; regions are "
            "counted after these"
        ),
    ),
    "seed": Column("int32", description="-1: ensemble over the seeds"),
    "split": Column(
        "string",
        description=(
            "train, validation, unlabelled, inner (held out inside training rows) or extrapolated (of the "
            "region that the member leaves out)"
        ),
    ),
    "true": Column("float64"),
    "mean": Column("float64"),
    "std": Column("float64", description="predicted standard deviation; NaN where the model states none"),
}
METRICS: Schema = {
    "scale": Column("string"),
    "protocol": Column("string"),
    "model": Column("string"),
    "target": Column("string"),
    "repeat": Column("int32"),
    "fold": Column("int32", description="-1: over all folds of the repeat"),
    "seed": Column("int32", description="-1: ensemble over the seeds"),
    "split": Column("string"),
    "metric": Column("string"),
    "value": Column("float64"),
    "unit": Column("string"),
}


def write(
    path: str | Path, frame: pd.DataFrame, schema: Schema, provenance: Mapping[str, Any] | None = None
) -> None:
    """Write a frame with an explicit schema and its checksum, whole or not at all.

    Args:
        path: Target file.
        frame: Columns of ``schema``, in any order; the file has the schema's order.
        schema: Type, unit and role of every column.
        provenance: JSON-able facts about the origin of the table, kept in the file's metadata.

    Raises:
        InputError: A column is missing or left over, or a value does not fit its type.
    """
    if set(frame.columns) != set(schema) or len(frame.columns) != len(schema):
        missing, extra = sorted(set(schema) - set(frame.columns)), sorted(set(frame.columns) - set(schema))
        raise InputError(f"The table lacks columns {missing} and has unknown columns {extra}.", file=path)
    arrays, fields = [], []
    for name, column in schema.items():
        kind = _TYPES[column.dtype]
        # NaN stays NaN in numbers: a missing measurement is a value of the column, not of its type.
        keep_nan = column.dtype in ("float64", "float32")
        try:
            arrays.append(pa.array(frame[name].to_numpy(), type=kind, from_pandas=not keep_nan))
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise InputError(
                f"The values do not fit type {column.dtype}: {error}.", file=path, column=name
            ) from error
        metadata = {
            "unit": column.unit,
            "role": column.role,
            "block": column.block,
            "description": column.description,
            "uncertainty": "" if column.uncertainty is None else repr(column.uncertainty),
            "uncertainty_column": column.uncertainty_column,
            "classes": json.dumps(column.classes) if column.classes else "",
        }
        fields.append(pa.field(name, kind, metadata={k: v for k, v in metadata.items() if v}))
    origin = {"nestmat_version": nestmat.__version__, **(provenance or {})}
    table = pa.Table.from_arrays(
        arrays,
        schema=pa.schema(fields, metadata={"nestmat": json.dumps(origin, sort_keys=True, default=str)}),
    )
    with replacing(path) as aside:
        with pq.ParquetWriter(aside, table.schema, compression="zstd") as writer:
            writer.write_table(table)
            writer.add_key_value_metadata({seals.KEY: seals.BLANK})
        seals.seal(aside)


def read(
    path: str | Path, columns: Sequence[str] | None = None, *, sealed: bool = True, **equal: Any
) -> pd.DataFrame:
    """Read a table, or some columns and rows of it.

    Args:
        path: File written by `write`.
        columns: Names to read; all by default.
        sealed: Whether the table must have a checksum, as results do; tables that users bring need none.
        equal: Column = value pairs that every row returned must satisfy.

    Raises:
        InputError: The file is missing, is damaged, is not Parquet, or lacks a column.
    """
    filters = [(name, "==", value) for name, value in equal.items()] or None
    with _readable(path, sealed):
        names = set(pq.read_schema(path).names)
        if missing := sorted({*(columns or ()), *equal} - names):
            raise InputError(f"The table lacks columns {missing}; it has {sorted(names)}.", file=path)
        return pq.read_table(
            path, columns=None if columns is None else list(columns), filters=filters
        ).to_pandas()


@contextmanager
def _readable(path: str | Path, sealed: bool) -> Iterator[None]:
    seals.verify(path, required=sealed)
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"The file is not a readable Parquet table: {error}.",
            file=path,
            remedy="delete it and run again.",
        ) from error


def schema(path: str | Path, *, sealed: bool = True) -> dict[str, Column]:
    """The columns of a file with their units, roles and blocks; ``sealed`` and errors as of `read`."""
    names = {kind: name for name, kind in _TYPES.items()}
    columns = {}
    with _readable(path, sealed):
        fields = pq.read_schema(path)
    for field in fields:
        metadata: dict[str, Any] = {k.decode(): v.decode() for k, v in (field.metadata or {}).items()}
        if "uncertainty" in metadata:
            metadata["uncertainty"] = float(metadata["uncertainty"])
        if "classes" in metadata:
            metadata["classes"] = tuple(json.loads(metadata["classes"]))
        columns[field.name] = Column(names[field.type], **metadata)
    return columns


def provenance(path: str | Path, *, sealed: bool = True) -> dict[str, Any]:
    """The facts about the origin of a table that `write` kept; ``sealed`` and errors as of `read`."""
    with _readable(path, sealed):
        return json.loads((pq.read_schema(path).metadata or {}).get(b"nestmat", b"{}"))


def record_copies(path: str | Path, copies: Iterable[Path]) -> None:
    """Keep checksums of files for other programs in the provenance of the table that they were made of.

    Args:
        path: The table.
        copies: The files, in the folder of the table or below.
    """
    checksums = {str(copy.relative_to(Path(path).parent)): sha256(copy) for copy in copies}
    write(path, read(path), schema(path), {**provenance(path), COPIES: checksums})


def foreign(data: bytes, path: str | Path) -> pa.Table:
    """A table that another program wrote, whole and as it is.

    Args:
        data: Content of the file.
        path: Its name, for messages.

    Raises:
        InputError: The content is not Parquet.
    """
    try:
        return pq.ParquetFile(pa.BufferReader(data)).read()
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"The file is not a readable Parquet table: {error}.",
            file=path,
            remedy="write it again, or give the data as CSV, in a file whose name does not end in .parquet.",
        ) from error


def texts(column: pa.ChunkedArray) -> list[str]:
    """Cells as text: a null is empty, and a float has the digits that give the same float again."""
    return ["" if value is None else str(value) for value in column.to_pylist()]


def number(values: Any) -> np.ndarray:
    """Values as a float64 array, missing ones as NaN."""
    return pd.to_numeric(pd.Series(values), errors="coerce").to_numpy(np.float64)
