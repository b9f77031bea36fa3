"""The feature table of a scale: blocks of columns, targets and categories, and the rows that have none."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.errors import InputError
from nestmat.features.block import BlockColumns, BlockKind, Fault, format_cell
from nestmat.features.completion import complete
from nestmat.features.registry import Buildable, build_block
from nestmat.features.rows import Rows
from nestmat.tables import Column

_LOG = logging.getLogger(__name__)
_KEYS: tables.Schema = {
    "row_id": Column("int64", role="key", description="data row of the source, counted from 0"),
    "formula": Column("string", description="formula as the source writes it"),
    "material": Column("string", role="key", description="canonical key of the composition"),
    "group": Column("string", role="key", description="rows that a grouped split keeps together"),
}
_USES = {"target": "a target", "weight": "the weight of rows", "uncertainty": "an uncertainty"}
BlockConfig = BlockKind | Buildable | Mapping[str, Any]
"""A block, or what `nestmat.features.registry.build_block` makes one of."""


@dataclass(frozen=True)
class ScaleColumns:
    """Columns of a table that a scale keeps besides its features.

    Attributes:
        targets: Columns to predict; a row without one is rejected. Empty for rows to predict.
        categories: Further columns to keep, for splits; those of one_hot blocks are kept anyway.
        group: Columns whose values, with the material, name the group of a row.
    """

    targets: Sequence[str] = ()
    categories: Sequence[str] = ()
    group: Sequence[str] = ()


@dataclass(frozen=True)
class TrainingFeatures:
    """Features that a model was trained on, as new rows need them.

    Attributes:
        levels: Categories and ions by block; a row with another is rejected.
        frame: Features of the training rows. Columns that a table lacks follow from the ions and categories
            of each row, where they do so exactly in these rows.
    """

    levels: Mapping[str, Sequence[str]]
    frame: pd.DataFrame

    @classmethod
    def read(cls, path: str | Path) -> TrainingFeatures:
        """From a file of features."""
        return cls(levels_of(tables.provenance(path)["blocks"]), tables.read(path))


@dataclass(frozen=True)
class Featurized:
    """Features of the rows that have them.

    Attributes:
        frame: ``row_id``, ``formula``, ``material``, ``group``, then feature columns, targets, weights with
            the uncertainties of targets, and categories.
        schema: Type, unit, role and block of every column.
        blocks: By block: ``kind`` (continuous, categorical or simplex), ``columns``, and ``levels`` where the
            columns stand for categories or ions.
        rejects: One line for each other row, with the columns of `nestmat.tables.REJECTS`.
        constant: Feature columns that hold one value only.
        gaps: Elements of these rows of which a block lacks properties: ``block``, ``element``,
            ``properties``, which are the mean over all elements, ``total`` number of them, ``rows``.
    """

    frame: pd.DataFrame
    schema: dict[str, Column]
    blocks: dict[str, dict[str, Any]]
    rejects: pd.DataFrame
    constant: list[str]
    gaps: list[dict[str, Any]] = field(default_factory=list)

    @property
    def for_training(self) -> TrainingFeatures:
        """What `featurize` needs for rows that a model trained on these features is to read."""
        return TrainingFeatures(levels_of(self.blocks), self.frame)


def levels_of(blocks: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Levels by block, from the blocks of a `Featurized` or of a features file's provenance."""
    return {name: list(block["levels"]) for name, block in blocks.items() if "levels" in block}


def featurize(
    table: pd.DataFrame,
    features: Mapping[str, BlockConfig],
    columns: ScaleColumns = ScaleColumns(),
    *,
    training: TrainingFeatures | None = None,
    schema: tables.Schema | None = None,
    source: str | Path | None = None,
    threads: int = 1,
    cache: str | Path | None = None,
) -> Featurized:
    """Compute the feature blocks of a table's rows.

    Args:
        table: Rows with ``row_id``, ``row`` (line of the source), ``formula``, ``material`` and the columns
            named below.
        features: Blocks by name, as the study configures them.
        columns: Targets and other columns to keep; none by default.
        training: Features that a model was trained on, where the rows are for it. By default the levels are
            those of the table, sorted.
        schema: Units and descriptions of the table's columns.
        source: File of the table, for messages.
        threads: Processes that share the work of matminer.
        cache: Folder where results of matminer are kept and looked for; none by default.

    Raises:
        InputError: A column is missing, holds text where numbers are needed, or is feature and target; two
            blocks have different columns of one name.
    """
    rows = Rows(table.reset_index(drop=True), schema or {}, source, threads, cache)
    blocks = {name: build_block(config) for name, config in features.items()}
    rows.require(["row_id", "row", "formula", "material"], "A table to featurize")
    rows.require([*columns.targets, *columns.categories, *columns.group], "The scale")
    copied_columns = [name for block in blocks.values() for name in block.copied_columns]
    if training is None:
        rows.require(copied_columns, "A block of columns")
    further_uses = dict.fromkeys(columns.targets, "target") | _weight_columns(rows, columns.targets)
    if shared := sorted(set(copied_columns) & set(further_uses)):
        raise InputError(
            f"The column {shared[0]!r} is a feature and {_USES[further_uses[shared[0]]]}.",
            file=source,
            column=shared[0],
            remedy="take it out of one of them.",
        )
    computed = {}
    for name, block in blocks.items():
        computed[name] = block.compute(rows, training.levels.get(name) if training else None)
        for position, fault in computed[name].faults.items():
            rows.add_fault(position, fault)
    if training is not None:
        _complete_columns(rows, blocks, computed, training.frame)
    return _assemble(rows, blocks, computed, columns)


def _weight_columns(rows: Rows, targets: Sequence[str]) -> dict[str, str]:
    """Role of the columns that say how much rows with targets count: weight or uncertainty."""
    roles = {name: column.role for name, column in rows.schema.items() if column.role == "weight" and targets}
    uncertainties = (rows.schema[name].uncertainty_column for name in targets if name in rows.schema)
    return roles | {name: "uncertainty" for name in uncertainties if name}


def _complete_columns(
    rows: Rows, blocks: Mapping[str, BlockKind], computed: Mapping[str, BlockColumns], training: pd.DataFrame
) -> None:
    """Complete the columns that the table lacks from the ions and categories of its rows."""
    groups = {name: computed[name].columns for name, block in blocks.items() if block.role != "continuous"}
    fractions = [pd.DataFrame(computed[name].values, columns=columns) for name, columns in groups.items()]
    basis = pd.concat(fractions, axis=1) if fractions else pd.DataFrame(index=rows.table.index)
    for name, block in blocks.items():
        missing = [column for column in block.copied_columns if column not in rows.table.columns]
        if missing:
            completed = complete(missing, basis, training, groups)
            places = [computed[name].columns.index(column) for column in missing]
            computed[name].values[:, places] = completed[missing].to_numpy()


def _assemble(
    rows: Rows,
    blocks: Mapping[str, BlockKind],
    computed: Mapping[str, BlockColumns],
    scale_columns: ScaleColumns,
) -> Featurized:
    """Table of the rows without fault, and of the rows that have one."""
    columns: dict[str, Any] = {name: rows.table[name] for name in ("row_id", "formula", "material")}
    group_keys = [rows.table["material"].tolist()]
    group_keys += [[format_cell(value) for value in rows.table[name]] for name in scale_columns.group]
    columns["group"] = [" | ".join(keys) for keys in zip(*group_keys, strict=True)]
    schema = dict(_KEYS)
    for name, block_columns in computed.items():
        _add_block(rows, columns, schema, name, block_columns)
    for name in scale_columns.targets:
        values = rows.numbers(name)
        _reject_not_finite(rows, [name], values[:, None])
        columns[name] = values
        target_column = rows.schema.get(name, Column("float64"))
        schema[name] = replace(target_column, dtype="float64", role="target", block="")
    for name, role in _weight_columns(rows, scale_columns.targets).items():
        columns[name] = rows.numbers(name)
        schema[name] = replace(rows.schema[name], role=role)
    one_hot = [name for block in blocks.values() for name in block.category_columns]
    for name in dict.fromkeys([*scale_columns.categories, *one_hot]):
        if name not in columns:
            columns[name] = rows.labels(name)
            description = rows.schema.get(name, Column("string")).description
            schema[name] = Column("string", "", "category", "", description)
    frame = pd.DataFrame(columns)[list(schema)]
    frame = frame.drop(index=list(rows.faults)).reset_index(drop=True)
    return Featurized(
        frame=frame,
        schema=schema,
        blocks={name: _block_metadata(block, computed[name]) for name, block in blocks.items()},
        rejects=_rejects(rows),
        constant=_constant_columns(frame, schema),
        gaps=[gap for name, block_columns in computed.items() for gap in _gaps_of(rows, name, block_columns)],
    )


def _gaps_of(rows: Rows, name: str, block_columns: BlockColumns) -> Iterator[dict[str, Any]]:
    """Elements of the rows without fault of which a block lacks properties."""
    for gap in block_columns.gaps:
        if count := sum(position not in rows.faults for position in gap.positions):
            yield {
                "block": name,
                "element": gap.element,
                "properties": [*gap.properties],
                "total": gap.total,
                "rows": count,
            }


def _add_block(
    rows: Rows, columns: dict[str, Any], schema: dict[str, Column], name: str, block_columns: BlockColumns
) -> None:
    """Add the columns of a block to those of the table."""
    _reject_not_finite(rows, block_columns.columns, block_columns.values)
    descriptions = block_columns.descriptions or [""] * len(block_columns.columns)
    for index, column in enumerate(block_columns.columns):
        values = block_columns.values[:, index]
        if column not in columns:
            columns[column] = values
            schema[column] = Column(
                "float64", block_columns.units[index], "feature", name, descriptions[index]
            )
        elif not np.array_equal(columns[column], values, equal_nan=True):
            raise InputError(
                f"Block {name!r} has the column {column!r}, which another block has with other values.",
                file=rows.source,
                column=column,
                remedy="leave it out of one of them.",
            )


def _rejects(rows: Rows) -> pd.DataFrame:
    lines = rows.table["row"].tolist()
    return pd.DataFrame(
        [(lines[position], *rows.faults[position]) for position in sorted(rows.faults)],
        columns=list(tables.REJECTS),
    ).astype({"row": "int64"})


def _constant_columns(frame: pd.DataFrame, schema: tables.Schema) -> list[str]:
    features = [name for name, column in schema.items() if column.role == "feature"]
    return [name for name in features if len(frame) > 1 and frame[name].nunique() == 1]


def _block_metadata(block: BlockKind, block_columns: BlockColumns) -> dict[str, Any]:
    metadata: dict[str, Any] = {"kind": block.role, "columns": block_columns.columns}
    return metadata if block_columns.levels is None else {**metadata, "levels": block_columns.levels}


def _reject_not_finite(rows: Rows, columns: Sequence[str], values: np.ndarray) -> None:
    not_finite = ~np.isfinite(values)
    for position in np.flatnonzero(not_finite.any(axis=1)):
        column = int(not_finite[position].argmax())
        value = values[position, column]
        reason = "has no value." if np.isnan(value) else "is not finite."
        rows.add_fault(int(position), Fault(columns[column], format_cell(value), reason))


def write_features(
    table: str | Path,
    features_file: str | Path,
    rejects_file: str | Path,
    *,
    features: Mapping[str, Any],
    columns: ScaleColumns,
    threads: int = 1,
    cache: str | Path | None = None,
) -> None:
    """Featurize a data set's file; see `featurize`.

    Raises:
        InputError: As `featurize`, or no row has features.
    """
    featurized = featurize(
        tables.read(table),
        features,
        columns,
        schema=tables.schema(table),
        source=table,
        threads=threads,
        cache=cache,
    )
    _write(featurized, table, features_file, rejects_file)


def write_features_for_parent(
    table: str | Path,
    parent: str | Path,
    features_file: str | Path,
    rejects_file: str | Path,
    *,
    features: Mapping[str, Any],
    look_up: bool = False,
    threads: int = 1,
    cache: str | Path | None = None,
) -> None:
    """Features that a parent scale reads, for the rows of its child.

    Args:
        table: Data set of the child.
        parent: Features of the parent's own rows, which give the levels and complete the columns that the
            child's data set lacks.
        features_file: Where the features go.
        rejects_file: Where the child's rows that have none go.
        features: The parent's blocks.
        look_up: Take the parent's features of the same material instead of computing any.
        threads: As for `featurize`.
        cache: As for `featurize`.

    Raises:
        InputError: As `featurize`; no row has features; or, for a look-up, the parent has rows of one
            material with different features.
    """
    rows = tables.read(table)
    if look_up:
        blocks = tables.provenance(parent)["blocks"]
        featurized = _align_by_material(rows, tables.read(parent), tables.schema(parent), blocks, parent)
    else:
        featurized = featurize(
            rows,
            features,
            training=TrainingFeatures.read(parent),
            schema=tables.schema(table),
            source=table,
            threads=threads,
            cache=cache,
        )
    _write(featurized, table, features_file, rejects_file)


def _align_by_material(
    rows: pd.DataFrame,
    parent: pd.DataFrame,
    schema: tables.Schema,
    blocks: dict[str, dict[str, Any]],
    source: str | Path,
) -> Featurized:
    """Features of rows by their material, as the parent scale has them."""
    features = [name for name, column in schema.items() if column.role == "feature"]
    distinct = parent.drop_duplicates(["material", *features])
    if (repeated := distinct["material"].duplicated()).any():
        raise InputError(
            "The features of the parent scale cannot be looked up by material, since rows of one material "
            "have different ones.",
            file=source,
            column="material",
            value=distinct.loc[repeated, "material"].iloc[0],
            remedy="set parent_features: computed, or keep one row a material in the parent's data set.",
        )
    has_parent = rows["material"].isin(distinct["material"])
    keys = rows.loc[has_parent, ["row_id", "formula", "material"]].reset_index(drop=True)
    keys["group"] = keys["material"]
    frame = keys.merge(distinct[["material", *features]], on="material", how="left", validate="many_to_one")
    orphans = rows.loc[~has_parent]
    rejects = pd.DataFrame(
        {
            "row": orphans["row"].astype("int64"),
            "column": "material",
            "value": orphans["material"],
            "reason": "is not a material of the parent scale, where its features are looked up.",
        }
    )
    return Featurized(
        frame=frame,
        schema={**_KEYS, **{name: schema[name] for name in features}},
        blocks=blocks,
        rejects=rejects.reset_index(drop=True),
        constant=_constant_columns(frame, {name: schema[name] for name in features}),
    )


def _write(
    featurized: Featurized, table: str | Path, features_file: str | Path, rejects_file: str | Path
) -> None:
    """Write the features and the rejected rows of a table."""
    if featurized.frame.empty:
        first = featurized.rejects.iloc[0] if len(featurized.rejects) else None
        raise InputError(
            f"No row of the table has features; the first of {len(featurized.rejects)} rejected ones "
            f"{first['reason']}"
            if first is not None
            else "The table has no rows.",
            file=table,
            row=None if first is None else int(first["row"]),
            column=None if first is None else first["column"],
            value=None if first is None else first["value"],
            remedy="compare the feature blocks of the study with the table.",
        )
    if featurized.constant:
        _LOG.warning(
            "These feature columns are constant, and distinguish no rows: %s", ", ".join(featurized.constant)
        )
    for gap in featurized.gaps:
        _LOG.warning(
            "Block %s: %d of %d properties of %s are not tabulated, and are the mean over all elements in %d "
            "rows: %s",
            gap["block"],
            len(gap["properties"]),
            gap["total"],
            gap["element"],
            gap["rows"],
            ", ".join(gap["properties"]),
        )
    _LOG.info("%d rows have features, %d have none.", len(featurized.frame), len(featurized.rejects))
    provenance = {
        "blocks": featurized.blocks,
        "constant": featurized.constant,
        "rows_read": len(featurized.frame) + len(featurized.rejects),
        "rows_kept": len(featurized.frame),
        "rows_rejected": len(featurized.rejects),
        "dataset": tables.provenance(table),
    }
    provenance |= {"gaps": featurized.gaps} if featurized.gaps else {}
    tables.write(rejects_file, featurized.rejects, tables.REJECTS, provenance)
    tables.write(features_file, featurized.frame, featurized.schema, provenance)
