"""Describe the domain of a scale from the rows that train it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from nestmat import tables
from nestmat.domains.domain import Domain, DomainInputs
from nestmat.features.registry import build_block
from nestmat.features.table import BlockConfig
from nestmat.training.inner_folds import read_row_splits


def domain_inputs(features: Mapping[str, BlockConfig], path: str | Path) -> DomainInputs:
    """Feature columns that describe the domain of a scale.

    Distances are measured over all blocks, but where some of the composition can be computed from the numbers
    of a design space and others cannot, over the former alone: so that a candidate of a search and the same
    material in a table have one domain.

    Args:
        features: Feature blocks of the scale.
        path: Features of the scale.
    """
    blocks = {name: build_block(config) for name, config in features.items()}
    columns = {name: block["columns"] for name, block in tables.provenance(path)["blocks"].items()}
    has_space = any(block.needs_formula and block.differentiable for block in blocks.values())
    measured = [
        name
        for name, block in blocks.items()
        if block.differentiable or not (block.needs_formula and has_space)
    ]
    return DomainInputs(
        numbers=list(dict.fromkeys(name for block in blocks.values() for name in block.copied_columns)),
        levels=[c for name, block in blocks.items() if block.role == "categorical" for c in columns[name]],
        distance=list(dict.fromkeys(column for name in measured for column in columns[name])),
        blocks=columns,
    )


def training_features(features: str | Path, folds: str | Path, protocol: str, fold: int) -> pd.DataFrame:
    """Features of the rows that train the members that leave out a fold.

    Args:
        features: Features of the scale.
        folds: Its folds.
        protocol: Protocol of the members.
        fold: Fold that they leave out, of the first repeat; -1 for those that train on every row.
    """
    frame = tables.read(features)
    if fold < 0:
        return frame
    split = read_row_splits(folds, protocol, frame["row_id"].to_numpy())[0]
    return frame[split.train(fold)]


def describe_domain(
    scale: str,
    features: str | Path,
    folds: str | Path,
    blocks: Mapping[str, BlockConfig],
    output: str | Path,
    *,
    protocol: str,
    fold: int,
) -> None:
    """Write the domain of the members of a scale.

    Args:
        scale: Name of the scale.
        features: Features of its rows.
        folds: Its folds.
        blocks: Its feature blocks.
        output: File to write; see `Domain.write`.
        protocol: Protocol of the members.
        fold: Fold that they leave out; -1 for those that train on every row.
    """
    rows = training_features(features, folds, protocol, fold)
    domain = Domain.of_rows(scale, rows, domain_inputs(blocks, features))
    domain.write(output, tables.schema(features), {"protocol": protocol, "fold": fold, "rows": len(rows)})
