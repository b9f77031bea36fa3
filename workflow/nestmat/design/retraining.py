"""Retraining on calculated candidates: they join the training rows, and the errors are compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.data.reading import read
from nestmat.data.registry import resolve
from nestmat.design.problem import Design
from nestmat.errors import InputError
from nestmat.features.table import ScaleColumns, write_features, write_features_for_parent
from nestmat.models.keys import ModelKey
from nestmat.scales.chain import ScalePrediction, predict_chain
from nestmat.scales.predictions import ENSEMBLE, Predictions
from nestmat.scales.propagate import propagate_latents
from nestmat.scales.train import TrainingJob, train_scale
from nestmat.training.inner_folds import LABELLED

PROTOCOL = "second_round"
GROUPS = 2
"""The calculated materials are halved: members trained with one half are tested on the other."""

RETRAINED: tables.Schema = {
    "formula": tables.Column("string"),
    "target": tables.Column("string"),
    "calculated": tables.Column("float64", description="in the unit of the row"),
    "first": tables.Column("float64", description="predicted by members that saw no calculated candidate"),
    "first_std": tables.Column("float64"),
    "second": tables.Column("float64", description="by members that saw the other half of the candidates"),
    "second_std": tables.Column("float64"),
    "unit": tables.Column("string"),
}


def retrain_on_calculated(design: Design, calculated: str | Path, retrained: str | Path) -> None:
    """Train the finest scale that predicts on its rows and half of the calculated ones; test on the others.

    Args:
        design: The problem with members that were trained on every row, and the data set of the scale.
        calculated: Rows of calculated candidates, with the columns of the data set's file.
        retrained: Table to write, `RETRAINED`: one row for each calculated row and target.

    Raises:
        InputError: The calculated rows cannot be read as rows of the data set, are of materials that the
            members were trained on, or of fewer than two.
    """
    study, scale = design.study, design.scales[0]
    config = study.scales[scale]
    model_keys = study.chain(design.config.scale, design.config.model, design.members.protocol)
    model = config.models[model_keys[scale].model].specification
    with TemporaryDirectory() as folder:
        rows, folds = Path(folder) / "rows.parquet", Path(folder) / "folds.parquet"
        group = _join(design, calculated, rows)
        features = Path(folder) / f"{scale}.parquet"
        columns, rejects = ScaleColumns(config.targets), Path(folder) / "rejects.parquet"
        write_features(rows, features, rejects, features=config.feature_settings, columns=columns)
        frame = tables.read(features)
        label = frame["row_id"].map(group).fillna(-1).astype("int32")
        table = frame[["row_id", "material"]].assign(
            protocol=PROTOCOL,
            repeat=np.int32(0),
            fold=label,
            role=LABELLED,
            inner=np.int32(-1),
            regions=np.int64(0),
        )
        tables.write(folds, table, tables.FOLDS, {"folds": {PROTOCOL: GROUPS}})
        propagated = _propagate(design, scale, rows, Path(folder))
        stem = str(Path(folder) / scale)
        train_scale(
            TrainingJob(
                key=ModelKey(scale, PROTOCOL, "second"),
                specification=model,
                features=features,
                folds=folds,
                parents={name: path for name, path in propagated.items() if name in model.inputs},
                weights=f"{stem}.safetensors",
                card=f"{stem}.json",
                history=f"{stem}.history.parquet",
                predictions=f"{stem}.predictions.parquet",
                latents=f"{stem}.latents.parquet",
            )
        )
        second = Predictions.read([f"{stem}.predictions.parquet"], split="validation", seed=ENSEMBLE)
        new = frame[frame["row_id"].isin(group)].reset_index(drop=True)
        lineage = study.lineage(scale)
        inputs = {scale: new}
        for parent in lineage[:-1]:
            features_of_parent = tables.read(Path(folder) / f"{parent}__{scale}.parquet").set_index("row_id")
            inputs[parent] = features_of_parent.loc[new["row_id"]].reset_index()
    first = predict_chain({name: design.members.weights[name] for name in lineage}, inputs)[scale]
    facts = {"problem": design.name, "scale": scale}
    tables.write(retrained, _compare(first, second, new, config.targets), RETRAINED, facts)


def _compare(
    first: ScalePrediction, second: Predictions, rows: pd.DataFrame, targets: Sequence[str]
) -> pd.DataFrame:
    """Predictions of calculated rows, in `RETRAINED`.

    Args:
        first: Predictions by the members that saw no calculated candidate.
        second: Predictions by the members that saw the other half of them.
        rows: Formulas, keys and calculated targets of the rows.
        targets: Names of the targets.
    """
    parts = []
    for target in targets:
        mean, std = first.targets[target]
        by_retrained = second.where(target=target).by_row(rows["row_id"])
        part = {
            "formula": rows["formula"],
            "target": target,
            "calculated": rows[target],
            "first": mean,
            "first_std": std,
            "second": by_retrained["mean"].to_numpy(),
            "second_std": by_retrained["std"].to_numpy(),
            "unit": first.units[target],
        }
        parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


def _join(design: Design, calculated: str | Path, rows: Path) -> dict[int, int]:
    """Write the rows of the data set and the calculated ones as one table; return the half of each."""
    data, scale = design.data[design.scales[0]], design.study.scales[design.scales[0]]
    old = tables.read(data)
    spec = resolve(design.study.datasets[scale.dataset])
    source: dict[str, Any] = {
        "file": str(calculated),
        "generator": None,
        "url": None,
        "sha256": None,
        "options": {},
    }
    new = read(spec.model_copy(update=source), calculated, name="candidates", targets=scale.targets).frame
    if repeated := sorted(set(new["material"]) & set(old["material"])):
        raise InputError(
            f"The members were trained on the material {repeated[0]!r}.",
            file=calculated,
            value=repeated[0],
            remedy="remove its row: its error would not be one of a prediction.",
        )
    order = {material: place for place, material in enumerate(dict.fromkeys(new["material"]))}
    if len(order) < GROUPS:
        raise InputError(f"The table has {len(order)} material, too few for two halves.", file=calculated)
    new = new.assign(row_id=new["row_id"] + old["row_id"].max() + 1, row=new["row"] + old["row"].max())
    facts = {"rows_read": len(old) + len(new)}
    tables.write(rows, pd.concat([old, new[old.columns]], ignore_index=True), tables.schema(data), facts)
    return {
        int(row): order[material] % GROUPS
        for row, material in zip(new["row_id"], new["material"], strict=True)
    }


def _propagate(design: Design, scale: str, rows: Path, folder: Path) -> dict[str, Path]:
    """Latents of the finer scales for the rows, by scale."""
    study, latents = design.study, {}
    lineage = study.lineage(scale)
    for parent in lineage[:-1]:
        features = folder / f"{parent}__{scale}.parquet"
        write_features_for_parent(
            rows,
            design.members.features[parent],
            features,
            folder / f"{parent}.rejects.parquet",
            features=study.scales[parent].feature_settings,
        )
        latents[parent] = folder / f"{parent}.latents.parquet"
        propagate_latents(
            design.members.weights[parent],
            features,
            latents[parent],
            parents={name: latents[name] for name in study.scales[parent].parents},
            pass_prediction=study.takes_prediction(parent, scale),
        )
    return latents
