"""Trained members of a chain, and the rows that they were trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from nestmat import tables
from nestmat.errors import InputError
from nestmat.materials.formulas import parse_many
from nestmat.models.keys import ModelKey


@dataclass(frozen=True)
class Members:
    """Which trained members search, and where their files are.

    Attributes:
        protocol: Protocol that they were trained in.
        fold: Fold that they left out; -1 for those trained on every row.
        weights: Weights of the chain's models by scale, parents first.
        features: Features of each of these scales.
        folds: Folds of each of these scales.
        domains: Domain of the training rows of the scale that is searched and of its ancestors, parents
            first, where verdicts are asked for.
    """

    protocol: str
    fold: int
    weights: Mapping[str, str | Path]
    features: Mapping[str, str | Path]
    folds: Mapping[str, str | Path]
    domains: Mapping[str, str | Path] = field(default_factory=dict)

    @classmethod
    def in_results(
        cls, results: Path, model_keys: Mapping[str, ModelKey], protocol: str, fold: int
    ) -> Members:
        """Members of a study that has been run.

        Args:
            results: Folder of its results.
            model_keys: The models of the chain by scale; see `Study.chain`.
            protocol: Protocol that they were trained in.
            fold: Fold that they left out; -1 for those trained on every row.
        """
        return cls(
            protocol,
            fold,
            {scale: results / f"models/{key}.safetensors" for scale, key in model_keys.items()},
            {scale: results / f"features/{scale}.parquet" for scale in model_keys},
            {scale: results / f"folds/{scale}.parquet" for scale in model_keys},
            {scale: results / f"domains/{scale}/{key.protocol}.parquet" for scale, key in model_keys.items()},
        )


def training_rows(
    scale: str, members: Members, columns: Sequence[str], *, repeats: bool = False
) -> pd.DataFrame:
    """Rows that members were trained on at a scale, some columns of its features.

    Args:
        scale: The scale.
        members: The members.
        columns: The columns.
        repeats: Whether to take every row of a material; by default the first.

    Raises:
        InputError: The features lack a column.
    """
    file = members.features[scale]
    if missing := [name for name in columns if name not in tables.schema(file)]:
        raise InputError(
            f"The features of scale {scale!r} have no column {missing[0]!r}, a number of the design space.",
            file=file,
            column=missing[0],
            remedy=f"add a block of `columns` that holds it to scales.{scale}.features.",
        )
    frame = tables.read(file, columns=[*dict.fromkeys(["row_id", "material", *columns])])
    if members.fold >= 0:
        folds = tables.read(
            members.folds[scale], columns=["row_id", "fold"], protocol=members.protocol, repeat=0
        )
        frame = frame.merge(folds[folds["fold"] != members.fold], on="row_id", validate="one_to_one")
    return (frame if repeats else frame.drop_duplicates("material"))[list(columns)]


def training_formulas(scale: str, members: Members) -> list[str]:
    """Formulas of the materials that members were trained on at a scale, each once."""
    return training_rows(scale, members, ["formula"])["formula"].tolist()


def training_keys(scale: str, members: Members) -> set[str]:
    """Keys of the compositions that members were trained on at a scale."""
    return {formula.key for formula in parse_many(training_formulas(scale, members)).formulas if formula}
