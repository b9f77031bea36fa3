"""Errors on parts of the rows: those with a column between two values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from nestmat.config.evaluation import Stratum
from nestmat.config.features import NUMBER_OF_ELEMENTS
from nestmat.errors import InputError
from nestmat.evaluation.metrics import score
from nestmat.materials.formulas import elements
from nestmat.tables import Column, Schema

STRATA: Schema = {
    "scale": Column("string"),
    "protocol": Column("string"),
    "model": Column("string"),
    "target": Column("string"),
    "stratum": Column("string"),
    "repeat": Column("int32"),
    "metric": Column("string"),
    "value": Column("float64", description="over the validation rows of all folds of the repeat"),
    "unit": Column("string"),
}

_KEYS = ["protocol", "model", "target", "repeat"]


def measure_strata(
    held_out: pd.DataFrame, rows: pd.DataFrame, strata: Mapping[str, Stratum], classes: Collection[str]
) -> pd.DataFrame:
    """Metrics of the validation rows of each stratum.

    Args:
        held_out: Validation rows of ensembles over seeds.
        rows: Features by row_id.
        strata: The strata by name.
        classes: Targets that are classes.

    Returns:
        The columns of `STRATA` without scale and unit.

    Raises:
        InputError: The features lack the column of a stratum.
    """
    records: list[dict[str, Any]] = []
    for name, stratum in strata.items():
        values = _column_by_row(rows, stratum.column)
        low, high = stratum.low, stratum.high
        inside = values.between(-np.inf if low is None else low, np.inf if high is None else high)
        part = held_out[held_out["row_id"].isin(inside.index[inside])]
        for key, group in part.groupby(_KEYS, sort=False):
            true, mean, std = (group[column].to_numpy() for column in ("true", "mean", "std"))
            metrics = score(true, mean, std, key[2] in classes, uncertainty=False)
            metrics |= {"rows": float(len(group))}
            records += [
                dict(zip(_KEYS, key, strict=True), stratum=name, metric=metric, value=value)
                for metric, value in metrics.items()
            ]
    return pd.DataFrame(records, columns=[*_KEYS, "stratum", "metric", "value"])


def _column_by_row(rows: pd.DataFrame, column: str) -> pd.Series:
    """A number of every row, by row_id."""
    if column == NUMBER_OF_ELEMENTS:
        return pd.Series([len(symbols) for symbols in elements(rows["formula"])], index=rows.index)
    if column not in rows or rows[column].dtype.kind not in "fi":
        raise InputError(
            f"The features have no number column {column!r} for a stratum.",
            key="strata",
            value=column,
            remedy=f"name a column of a feature block, a target, or {NUMBER_OF_ELEMENTS}.",
        )
    return rows[column]
