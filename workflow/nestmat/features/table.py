"""The feature table of a scale: blocks of columns, targets and categories, and the rows that have none."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from nestmat import tables
from nestmat.config.features import CELL, FeatureBlock
from nestmat.errors import InputError
from nestmat.features.alloys import alloy_descriptors, element_fractions
from nestmat.features.block import Block, Fault
from nestmat.features.completion import complete
from nestmat.features.composition import composition_table
from nestmat.features.sites import perovskite_criteria, site_descriptors, site_fractions
from nestmat.materials.formulas import Formula, parse_many
from nestmat.materials.monolayers import BONDS, bonds
from nestmat.tables import Column

_LOG = logging.getLogger(__name__)
_KEYS: tables.Schema = {
    "row_id": Column("int64", role="key", description="data row of the source, counted from 0"),
    "formula": Column("string", description="formula as the source writes it"),
    "material": Column("string", role="key", description="canonical key of the composition"),
    "group": Column("string", role="key", description="rows that a grouped split keeps together"),
}


@dataclass(frozen=True)
class Featurized:
    """Features of the rows that have them.

    Attributes:
        frame: ``row_id``, ``formula``, ``material``, ``group``, then feature columns, targets and categories.
        schema: Type, unit, role and block of every column.
        blocks: By block: ``kind`` (continuous, categorical or simplex), ``columns``, and ``levels`` where the
            columns stand for categories or ions.
        rejects: One line for each other row, with the columns of `nestmat.tables.REJECTS`.
        constant: Feature columns that hold one value only.
    """

    frame: pd.DataFrame
    schema: dict[str, Column]
    blocks: dict[str, dict[str, Any]]
    rejects: pd.DataFrame
    constant: list[str]

    @property
    def levels(self) -> dict[str, list[str]]:
        """Levels by block, to give to `featurize` for rows that a trained model is to read."""
        return levels_of(self.blocks)


def levels_of(blocks: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Levels by block, from the blocks of a `Featurized` or of a features file's provenance."""
    return {name: list(block["levels"]) for name, block in blocks.items() if "levels" in block}


@dataclass
class _Rows:
    """The rows to featurize, and what has been found wrong with them by position; the first fault stays."""

    table: pd.DataFrame
    schema: tables.Schema
    source: str | Path | None
    threads: int = 1
    cache: str | Path | None = None
    faults: dict[int, Fault] = field(default_factory=dict)

    def need(self, columns: Sequence[str], what: str) -> None:
        if lacking := [name for name in columns if name not in self.table.columns]:
            own = [name for name in self.table.columns if name not in ("row_id", "row", "material", "flag")]
            raise InputError(
                f"{what} needs the columns {lacking}, which the table lacks; it has {own}.",
                file=self.source,
                column=lacking[0],
                remedy="correct the name, or declare the column in the data set.",
            )

    def fault(self, position: int, fault: Fault) -> None:
        self.faults.setdefault(position, fault)

    @cached_property
    def formulas(self) -> list[Formula | None]:
        self.need(["formula"], "a feature block of the composition")
        texts = self.table["formula"].tolist()
        parsed = parse_many(texts)
        for position, error in parsed.errors.items():
            self.fault(position, Fault.of(error, "formula", _text(texts[position])))
        return parsed.formulas

    def numbers(self, name: str) -> np.ndarray:
        try:
            return self.table[name].to_numpy(np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"holds text, but is used as a number: {error}.",
                file=self.source,
                column=name,
                remedy="declare it as kind: number, or use one_hot.",
            ) from error

    def labels(self, name: str) -> list[str]:
        """Cells of a category column; a missing one is the empty string and a fault."""
        found = [_text(value) for value in self.table[name]]
        for position, label in enumerate(found):
            if not label:
                self.fault(position, Fault(name, "", "has no value."))
        return found


def _text(value: Any) -> str:
    if pd.isna(value):
        return ""
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _columns(rows: _Rows, names: Sequence[str], _levels: Any) -> Block:
    present = [name for name in names if name in rows.table.columns]
    values = np.full((len(rows.table), len(names)), np.nan)
    for index, name in enumerate(names):
        if name in present:
            values[:, index] = rows.numbers(name)
    about = [rows.schema.get(name, Column("float64")) for name in names]
    return Block(list(names), values, [c.unit for c in about], descriptions=[c.description for c in about])


def _one_hot(rows: _Rows, name: str, levels: Sequence[str] | None) -> Block:
    rows.need([name], "a one_hot block")
    labels = rows.labels(name)
    levels = sorted({label for label in labels if label}) if levels is None else levels
    code = {level: index for index, level in enumerate(levels)}
    faults = {
        position: Fault(
            name,
            label,
            f"is a category that the training data lacks; it has {', '.join(levels)}. "
            "Leave the row out, or train on data that holds it.",
        )
        for position, label in enumerate(labels)
        if label and label not in code
    }
    values = np.zeros((len(labels), len(levels)))
    for position, label in enumerate(labels):
        if label in code:
            values[position, code[label]] = 1.0
    return Block(
        [f"{name}={level}" for level in levels], values, [""] * len(levels), faults, levels=list(levels)
    )


def _composition(rows: _Rows, preset: str, _levels: Any) -> Block:
    table = composition_table(preset)
    values = np.full((len(rows.table), len(table.columns)), np.nan)
    where = [position for position, formula in enumerate(rows.formulas) if formula is not None]
    values[where] = table.featurize([f.composition for f in rows.formulas if f is not None])
    return Block(table.columns, values, table.units)


def _matminer(rows: _Rows, featurizers: Mapping[str, Mapping[str, Any]], _levels: Any) -> Block:
    # matminer takes seconds to import, which studies without it should not pay.
    from nestmat.features.matminer_adapter import matminer_features

    return matminer_features(rows.formulas, featurizers, threads=rows.threads, cache=rows.cache)


def _monolayer(rows: _Rows, settings: Mapping[str, float], _levels: Any) -> Block:
    rows.need(CELL, "a block of a monolayer")
    cell = np.column_stack([rows.numbers(name) for name in CELL])
    values = bonds(torch.from_numpy(cell), settings["height"]).numpy()
    units, descriptions = zip(*BONDS.values(), strict=True)
    reason = "makes no cell with the other lengths and angles."
    no_cell = np.flatnonzero(np.isfinite(cell).all(axis=1) & ~np.isfinite(values).all(axis=1))
    faults = {int(k): Fault(CELL[-1], _text(cell[k, -1]), reason) for k in no_cell}
    return Block(list(BONDS), values, list(units), faults, descriptions=list(descriptions))


_BLOCKS: dict[str, Callable[[_Rows, Any, Any], Block]] = {
    "columns": _columns,
    "one_hot": _one_hot,
    "site": lambda rows, site, levels: site_fractions(rows.formulas, site, levels),
    "site_descriptors": lambda rows, sites, _: site_descriptors(rows.formulas, sites),
    "perovskite": lambda rows, _yes, _: perovskite_criteria(rows.formulas),
    "elements": lambda rows, symbols, _: element_fractions(rows.formulas, symbols),
    "alloy": lambda rows, symbols, _: alloy_descriptors(rows.formulas, None if symbols is True else symbols),
    "composition": _composition,
    "matminer": _matminer,
    "monolayer": _monolayer,
}


def featurize(
    table: pd.DataFrame,
    features: Mapping[str, FeatureBlock | Mapping[str, Any]],
    targets: Sequence[str] = (),
    *,
    categories: Sequence[str] = (),
    group: Sequence[str] = (),
    levels: Mapping[str, Sequence[str]] | None = None,
    training: pd.DataFrame | None = None,
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
        targets: Columns to predict; a row without one is rejected. Empty for rows to predict.
        categories: Further columns to keep, for splits; those of one_hot blocks are kept anyway.
        group: Columns whose values, with the material, name the group of a row.
        levels: Categories and ions by block that a trained model knows; a row with another is rejected. Taken
            from the table by default, sorted.
        training: Features of the rows that a model was trained on. Columns that ``table`` lacks then follow
            from the ions and categories of each row, where they do so exactly in the training rows.
        schema: Units and descriptions of the table's columns.
        source: File of the table, for messages.
        threads: Processes that share the work of matminer.
        cache: Folder where results of matminer are kept and looked for; none by default.

    Raises:
        InputError: A column is missing, holds text where numbers are needed, or is feature and target; two
            blocks give different columns of one name.
    """
    rows = _Rows(table.reset_index(drop=True), schema or {}, source, threads, cache)
    configured = {
        name: block if isinstance(block, FeatureBlock) else FeatureBlock.model_validate(block)
        for name, block in features.items()
    }
    rows.need(["row_id", "row", "formula", "material"], "a table to featurize")
    rows.need([*targets, *categories, *group], "the scale")
    wanted = [name for block in configured.values() for name in block.columns or ()]
    if training is None:
        rows.need(wanted, "a block of columns")
    if both := sorted(set(wanted) & set(targets)):
        raise InputError(
            "is a feature and a target.", file=source, column=both[0], remedy="take it out of one of them."
        )
    blocks = {}
    for name, block in configured.items():
        (key, argument), *_ = block.model_dump(exclude_none=True).items()
        blocks[name] = _BLOCKS[key](rows, argument, (levels or {}).get(name))
        for position, fault in blocks[name].faults.items():
            rows.fault(position, fault)
    if training is not None:
        _fill(rows, configured, blocks, training)
    return _assemble(rows, configured, blocks, targets, categories, group)


def _fill(
    rows: _Rows, configured: Mapping[str, FeatureBlock], blocks: Mapping[str, Block], training: pd.DataFrame
) -> None:
    """Complete the columns that the table lacks from the ions and categories of its rows."""
    groups = {name: blocks[name].columns for name, block in configured.items() if block.kind != "continuous"}
    parts = [pd.DataFrame(blocks[name].values, columns=columns) for name, columns in groups.items()]
    known = pd.concat(parts, axis=1) if parts else pd.DataFrame(index=rows.table.index)
    for name, block in configured.items():
        missing = [column for column in block.columns or () if column not in rows.table.columns]
        if missing:
            found = complete(missing, known, training, groups)
            where = [blocks[name].columns.index(column) for column in missing]
            blocks[name].values[:, where] = found[missing].to_numpy()


def _assemble(
    rows: _Rows,
    configured: Mapping[str, FeatureBlock],
    blocks: Mapping[str, Block],
    targets: Sequence[str],
    categories: Sequence[str],
    group: Sequence[str],
) -> Featurized:
    found: dict[str, Any] = {name: rows.table[name] for name in ("row_id", "formula", "material")}
    keys = [rows.table["material"].tolist(), *([_text(v) for v in rows.table[name]] for name in group)]
    found["group"] = [" | ".join(parts) for parts in zip(*keys, strict=True)]
    schema = dict(_KEYS)
    for name, block in blocks.items():
        _reject_not_finite(rows, block.columns, block.values)
        about = block.descriptions or [""] * len(block.columns)
        for index, column in enumerate(block.columns):
            values = block.values[:, index]
            if column in found:
                if not np.array_equal(found[column], values, equal_nan=True):
                    raise InputError(
                        f"block {name!r} gives {column!r}, which another block gives with other values.",
                        file=rows.source,
                        column=column,
                        remedy="leave it out of one of them.",
                    )
                continue
            found[column] = values
            schema[column] = Column("float64", block.units[index], "feature", name, about[index])
    for name in targets:
        values = rows.numbers(name)
        _reject_not_finite(rows, [name], values[:, None])
        found[name] = values
        about_target = rows.schema.get(name, Column("float64"))
        schema[name] = replace(about_target, dtype="float64", role="target", block="")
    hot = [block.one_hot for block in configured.values() if block.one_hot]
    for name in dict.fromkeys([*categories, *hot]):
        if name not in found:
            found[name] = rows.labels(name)
            schema[name] = Column(
                "string", "", "category", "", rows.schema.get(name, Column("string")).description
            )
    frame = pd.DataFrame(found)[list(schema)]
    kept = frame.drop(index=list(rows.faults)).reset_index(drop=True)
    lines = rows.table["row"].tolist()
    rejects = pd.DataFrame(
        [(lines[position], *rows.faults[position]) for position in sorted(rows.faults)],
        columns=list(tables.REJECTS),
    ).astype({"row": "int64"})
    used = [name for name, column in schema.items() if column.role == "feature"]
    return Featurized(
        frame=kept,
        schema=schema,
        blocks={name: _about(configured[name], block) for name, block in blocks.items()},
        rejects=rejects,
        constant=[name for name in used if len(kept) > 1 and kept[name].nunique() == 1],
    )


def _about(configured: FeatureBlock, block: Block) -> dict[str, Any]:
    about: dict[str, Any] = {"kind": configured.kind, "columns": block.columns}
    return about if block.levels is None else {**about, "levels": block.levels}


def _reject_not_finite(rows: _Rows, columns: Sequence[str], values: np.ndarray) -> None:
    bad = ~np.isfinite(values)
    for position in np.flatnonzero(bad.any(axis=1)):
        column = int(bad[position].argmax())
        value = values[position, column]
        reason = "has no value." if np.isnan(value) else "is not finite."
        rows.fault(int(position), Fault(columns[column], _text(value), reason))


def write_features(
    table: str | Path,
    features_file: str | Path,
    rejects_file: str | Path,
    *,
    features: Mapping[str, Any],
    targets: Sequence[str],
    categories: Sequence[str] = (),
    group: Sequence[str] = (),
    threads: int = 1,
    cache: str | Path | None = None,
) -> None:
    """Featurize a data set's file; see `featurize`.

    Raises:
        InputError: As `featurize`, or no row has features.
    """
    found = featurize(
        tables.read(table),
        features,
        targets,
        categories=categories,
        group=group,
        schema=tables.schema(table),
        source=table,
        threads=threads,
        cache=cache,
    )
    _write(found, table, features_file, rejects_file)


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
    rows, blocks = tables.read(table), tables.provenance(parent)["blocks"]
    if look_up:
        found = _look_up(rows, tables.read(parent), tables.schema(parent), blocks, parent)
    else:
        found = featurize(
            rows,
            features,
            levels=levels_of(blocks),
            training=tables.read(parent),
            schema=tables.schema(table),
            source=table,
            threads=threads,
            cache=cache,
        )
    _write(found, table, features_file, rejects_file)


def _look_up(
    rows: pd.DataFrame,
    parent: pd.DataFrame,
    schema: tables.Schema,
    blocks: dict[str, dict[str, Any]],
    source: str | Path,
) -> Featurized:
    used = [name for name, column in schema.items() if column.role == "feature"]
    distinct = parent.drop_duplicates(["material", *used])
    if (twice := distinct["material"].duplicated()).any():
        raise InputError(
            "has rows of one material with different features, so that they cannot be looked up by material.",
            file=source,
            column="material",
            value=distinct.loc[twice, "material"].iloc[0],
            remedy="set parent_features: computed, or keep one row a material in the parent's data set.",
        )
    known = rows["material"].isin(distinct["material"])
    kept = rows.loc[known, ["row_id", "formula", "material"]].reset_index(drop=True)
    kept["group"] = kept["material"]
    frame = kept.merge(distinct[["material", *used]], on="material", how="left", validate="many_to_one")
    lost = rows.loc[~known]
    rejects = pd.DataFrame(
        {
            "row": lost["row"].astype("int64"),
            "column": "material",
            "value": lost["material"],
            "reason": "is not a material of the parent scale, where its features are looked up.",
        }
    )
    return Featurized(
        frame=frame,
        schema={**_KEYS, **{name: schema[name] for name in used}},
        blocks=blocks,
        rejects=rejects.reset_index(drop=True),
        constant=[name for name in used if len(frame) > 1 and frame[name].nunique() == 1],
    )


def _write(found: Featurized, table: str | Path, features_file: str | Path, rejects_file: str | Path) -> None:
    if found.frame.empty:
        first = found.rejects.iloc[0] if len(found.rejects) else None
        raise InputError(
            f"has no row with features; the first of {len(found.rejects)} rejected ones: {first['reason']}"
            if first is not None
            else "has no rows.",
            file=table,
            row=None if first is None else int(first["row"]),
            column=None if first is None else first["column"],
            value=None if first is None else first["value"],
            remedy="compare the feature blocks of the study with the table.",
        )
    if found.constant:
        _LOG.warning(
            "Constant feature columns, which tell no row from another: %s", ", ".join(found.constant)
        )
    _LOG.info("%d rows have features, %d have none.", len(found.frame), len(found.rejects))
    facts = {
        "blocks": found.blocks,
        "constant": found.constant,
        "rows_read": len(found.frame) + len(found.rejects),
        "rows_kept": len(found.frame),
        "rows_rejected": len(found.rejects),
        "dataset": tables.provenance(table),
    }
    tables.write(rejects_file, found.rejects, tables.REJECTS, facts)
    tables.write(features_file, found.frame, found.schema, facts)
