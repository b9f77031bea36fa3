"""Errors and coverage of left-out rows by how they stand to the domain of the rows that trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat import tables
from nestmat.domains.describe import domain_inputs
from nestmat.domains.domain import Domain
from nestmat.domains.verdicts import INSIDE, VERDICTS
from nestmat.evaluation.metrics import WITH_UNIT, measure
from nestmat.features.table import BlockConfig
from nestmat.models.keys import several_classes
from nestmat.scales.predictions import Predictions
from nestmat.tables import Column, Schema
from nestmat.training.inner_folds import read_row_splits

PROTOCOL = "strict"
"""Protocol whose validation rows are measured: its folds are shared along the chain."""
DOMAIN_ERRORS: Schema = {
    "scale": Column("string"),
    "protocol": Column("string"),
    "model": Column("string"),
    "target": Column("string"),
    "domain": Column("string", description="inside, edge or outside of the rows that the fold trained on"),
    "repeat": Column("int32"),
    "metric": Column("string"),
    "value": Column("float64", description="over the validation rows of all folds of the repeat"),
    "unit": Column("string"),
}


@dataclass(frozen=True)
class ScaleFiles:
    """Files of a scale of a chain.

    Attributes:
        training: Features of the scale's own rows.
        rows: Its features for the rows of the coarsest scale of the chain; of that scale the same file.
        folds: Its folds.
        blocks: Its feature blocks.
    """

    training: str | Path
    rows: str | Path
    folds: str | Path
    blocks: Mapping[str, BlockConfig]


def measure_domains(
    chain: Mapping[str, ScaleFiles], predictions: Sequence[str | Path], output: str | Path
) -> pd.DataFrame:
    """Measure the validation rows of a scale by their verdict against the rows that their fold trained on.

    Args:
        chain: Files of the scale and its ancestors by scale, parents first.
        predictions: Predictions of the scale in `PROTOCOL`.
        output: Table to write, `DOMAIN_ERRORS`.
    """
    scale = list(chain)[-1]
    features, schema = tables.read(chain[scale].training), tables.schema(chain[scale].training)
    codes = validation_codes(chain)
    materials = features.set_index("row_id")["material"]
    classes = {name: column.classes for name, column in schema.items() if column.classes}
    parts = []
    for path in predictions:
        held_out = Predictions(tables.read(path, protocol=PROTOCOL)).held_out.ensemble.frame
        held_out = held_out.merge(codes, on=["repeat", "row_id"], validate="many_to_one")
        for code, word in enumerate(VERDICTS):
            rows = held_out[held_out["code"] == code].drop(columns="code")
            if len(rows):
                parts.append(_measure_rows(rows, materials, classes).assign(domain=word))
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(DOMAIN_ERRORS))
    units = {name: column.unit for name, column in schema.items()}
    unit = table["target"].map(units).fillna("").where(table["metric"].isin(WITH_UNIT), "")
    table = table.assign(scale=scale, unit=unit)[list(DOMAIN_ERRORS)]
    tables.write(output, table, DOMAIN_ERRORS)
    return table


def _measure_rows(
    rows: pd.DataFrame, materials: pd.Series, classes: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """Metrics of predictions over all folds of a repeat, with the numbers of rows and of materials.

    Args:
        rows: Predictions of ensembles.
        materials: Material by row_id.
        classes: Names of the classes of each target that has some.
    """
    metrics = measure(rows, classes)
    metrics = metrics[(metrics["fold"] < 0) & (metrics["metric"] != "rows")]
    # Probabilities of several classes are of one target.
    targets = {key: target for target, keys in several_classes(classes).items() for key in keys}
    counted = rows.assign(target=rows["target"].replace(targets), material=rows["row_id"].map(materials))
    keys = ["protocol", "model", "target", "repeat"]
    groups = counted.drop_duplicates([*keys, "row_id"]).groupby(keys, sort=False)
    counts = groups.agg(rows=("row_id", "size"), materials=("material", "nunique"))
    return pd.concat([metrics, counts.reset_index().melt(keys, var_name="metric")], ignore_index=True)


def validation_codes(chain: Mapping[str, ScaleFiles]) -> pd.DataFrame:
    """Verdict on every validation row of the coarsest scale of a chain, the worst along the chain.

    Args:
        chain: Files of the scale and its ancestors by scale, parents first.

    Returns:
        ``repeat``, ``row_id`` and ``code``, a code of `nestmat.domains.verdicts`.
    """
    row_id = tables.read(chain[list(chain)[-1]].training, columns=["row_id"])["row_id"].to_numpy()
    splits = read_row_splits(chain[list(chain)[-1]].folds, PROTOCOL, row_id)
    codes = {split.repeat: np.full(len(row_id), INSIDE, dtype=np.int8) for split in splits}
    for scale, files in chain.items():
        training, rows = tables.read(files.training), tables.read(files.rows)
        # Rows that a parent cannot describe keep the verdict of the others.
        place = pd.Series(np.arange(len(row_id)), index=row_id).loc[rows["row_id"]].to_numpy()
        inputs = domain_inputs(files.blocks, files.training)
        of_training = read_row_splits(files.folds, PROTOCOL, training["row_id"].to_numpy())
        for split, of_rows in zip(of_training, splits, strict=True):
            for fold in range(of_rows.folds):
                validated = of_rows.validation(fold)[place]
                if validated.any():
                    domain = Domain.of_rows(scale, training[split.train(fold)], inputs)
                    worst = codes[of_rows.repeat]
                    _raise_to(worst, place[validated], domain.of_features(rows[validated]).codes)
    frames = [
        pd.DataFrame({"repeat": np.int32(repeat), "row_id": row_id, "code": of_repeat})
        for repeat, of_repeat in codes.items()
    ]
    return pd.concat(frames, ignore_index=True)


def _raise_to(codes: NDArray[np.int8], place: NDArray[np.int64], others: NDArray[np.int8]) -> None:
    """Raise some codes to others where these are worse."""
    codes[place] = np.maximum(codes[place], others)
