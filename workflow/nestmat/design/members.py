"""Trained members of a chain, and the rows that they were trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from nestmat import tables
from nestmat.errors import InputError


@dataclass(frozen=True)
class Members:
    """Which trained members search, and where their files are.

    Attributes:
        protocol: Protocol that they were trained in.
        fold: Fold that they left out; -1 for those trained on every row.
        weights: Weights of the chain's models by scale, parents first.
        features: Features of each of these scales.
        folds: Folds of each of these scales.
    """

    protocol: str
    fold: int
    weights: Mapping[str, str | Path]
    features: Mapping[str, str | Path]
    folds: Mapping[str, str | Path]


def load_members(given: Mapping[str, Any], files: Sequence[str]) -> Members:
    """The members that a rule names.

    Args:
        given: Protocol, fold and scales.
        files: Weights, features and folds of each scale in turn.
    """
    weights, features, folds = (dict(zip(given["scales"], files[k::3], strict=True)) for k in range(3))
    return Members(given["protocol"], given["fold"], weights, features, folds)


def training_rows(
    scale: str, members: Members, columns: Sequence[str], *, each: bool = False
) -> pd.DataFrame:
    """Rows that members were trained on at a scale, some columns of its features.

    Args:
        scale: The scale.
        members: The members.
        columns: The columns.
        each: Whether to take every row; by default the first of each material.

    Raises:
        InputError: The features lack a column.
    """
    file = members.features[scale]
    if lacking := [name for name in columns if name not in tables.schema(file)]:
        raise InputError(
            "is a number of the design space that the features lack.",
            file=file,
            column=lacking[0],
            remedy=f"add a block of `columns` that holds it to scales.{scale}.features.",
        )
    frame = tables.read(file, columns=[*dict.fromkeys(["row_id", "material", *columns])])
    if members.fold >= 0:
        mine = tables.read(
            members.folds[scale], columns=["row_id", "fold"], protocol=members.protocol, repeat=0
        )
        frame = frame.merge(mine[mine["fold"] != members.fold], on="row_id", validate="one_to_one")
    return (frame if each else frame.drop_duplicates("material"))[list(columns)]


def training_formulas(scale: str, members: Members) -> list[str]:
    """Formulas of the materials that members were trained on at a scale, each once."""
    return training_rows(scale, members, ["formula"])["formula"].tolist()
