"""Evaluation of a scale: metrics, comparisons, calibration and strata of all its models."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.config.evaluation import Stratum
from nestmat.errors import InputError
from nestmat.evaluation.calibration import calibration_curve
from nestmat.evaluation.classification import reliability_curve
from nestmat.evaluation.comparison import COMPARISONS, compare_pairs, validation_to_train_ratios
from nestmat.evaluation.metrics import WITH_UNIT, measure, reconstructions, summarise
from nestmat.evaluation.strata import STRATA, measure_strata
from nestmat.models.keys import predicted_quantities
from nestmat.scales.predictions import Predictions
from nestmat.tables import Column, Schema

log = logging.getLogger(__name__)

CALIBRATION: Schema = {
    "scale": Column("string"),
    "protocol": Column("string"),
    "model": Column("string"),
    "target": Column("string"),
    "level": Column("float64", description="nominal probability; of a class the mean predicted one of a bin"),
    "quantile": Column(
        "float64",
        description="share of validation rows below the quantile of that probability; NaN of a class",
    ),
    "interval": Column(
        "float64",
        description="share inside the central interval of that probability; of a class share that is of it",
    ),
    "rows": Column("int64", description="validation rows, of a class those of the bin"),
}

OUTPUTS: Mapping[str, Schema] = {
    "metrics": tables.METRICS,
    "comparisons": COMPARISONS,
    "calibration": CALIBRATION,
    "strata": STRATA,
}
"""Tables of an evaluation, by name."""


@dataclass(frozen=True)
class Evaluation:
    """What a scale is evaluated on.

    Attributes:
        scale: Name of the scale.
        features: Features table of the scale: materials, and units of the targets.
        predictions: Prediction files of the scale, of all protocols.
        cards: Cards of the scale's autoencoders, of all protocols: how much of their blocks they decode.
        latents: Metrics of the latents of semi-supervised models, of all protocols.
        compare: (nested, single) pairs of models.
        left_out: Column whose levels are left out, by protocol that leaves out whole levels.
        strata: Parts of the validation rows that are measured by themselves too, by name.
        seed: Seed of bootstrap and permutations.
    """

    scale: str
    features: str | Path
    predictions: Sequence[str | Path]
    cards: Sequence[str | Path] = ()
    latents: Sequence[str | Path] = ()
    compare: Sequence[Sequence[str]] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    strata: Mapping[str, Stratum | Mapping[str, Any]] = field(default_factory=dict)
    seed: int = 0


def evaluate_scale(evaluation: Evaluation, outputs: Mapping[str, str | Path]) -> dict[str, pd.DataFrame]:
    """Measure all models of a scale and compare nested with single-scale ones.

    Args:
        evaluation: Predictions, features, and what is compared.
        outputs: Where tables are written, by name: keys of `OUTPUTS`.

    Returns:
        The tables by name.

    Raises:
        InputError: The scale has no target and no card: nothing can be measured.
    """
    schema = tables.schema(evaluation.features)
    targets = {name: column for name, column in schema.items() if column.role == "target"}
    if not evaluation.cards and not targets:
        raise InputError(
            "The scale has no targets, and there are no cards that state how well blocks are decoded.",
            file=evaluation.features,
            remedy="add the cards of the models.",
        )
    units = {name: column.unit for name, column in schema.items()}
    classes = {name: column.classes for name, column in targets.items() if column.classes}
    metrics, held_out, ratios = _measure_files(evaluation, classes)
    rows = tables.read(evaluation.features).set_index("row_id")
    levels = {protocol: rows[column] for protocol, column in evaluation.left_out.items()}
    pairs = compare_pairs(
        held_out, evaluation.compare, rows["material"], levels, evaluation.seed, classes, ratios
    )
    comparisons = pd.DataFrame(pairs, columns=list(COMPARISONS))
    strata = {name: Stratum.model_validate(stratum) for name, stratum in evaluation.strata.items()}
    stratified = measure_strata(held_out, rows, strata, classes)
    for table in (metrics, comparisons, stratified):
        table["unit"] = table["target"].map(units).where(table["metric"].isin(WITH_UNIT), "")
    metrics = metrics.assign(scale=evaluation.scale)
    metrics = pd.concat([metrics, *(tables.read(path) for path in evaluation.latents)], ignore_index=True)
    probabilities = {q for target, names in classes.items() for q in predicted_quantities(target, names)}
    evaluated = {
        "metrics": metrics[list(tables.METRICS)],
        "comparisons": comparisons.assign(scale=evaluation.scale),
        "calibration": _calibration_curves(held_out, probabilities).assign(scale=evaluation.scale),
        "strata": stratified.assign(scale=evaluation.scale)[list(STRATA)],
    }
    for name, path in outputs.items():
        tables.write(path, evaluated[name], OUTPUTS[name])
    _log_errors(evaluated["metrics"])
    return evaluated


def _measure_files(
    evaluation: Evaluation, classes: Mapping[str, Sequence[str]]
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, float]]:
    """Metrics, validation rows of the ensembles, and test rows over training rows by protocol."""
    metrics, held_out = [reconstructions(evaluation.cards)], []
    ratios: dict[str, float] = {}
    for path in evaluation.predictions:
        predictions = Predictions(tables.read(path))
        metrics.append(measure(predictions.frame, classes))
        ratios |= validation_to_train_ratios(predictions.frame)
        ensemble = predictions.ensemble.where(split="validation").frame
        held_out.append(ensemble[np.isfinite(ensemble["true"])])
    # An empty table has no types, and would change those of the others.
    filled = [table for table in metrics if not table.empty] or metrics[:1]
    return pd.concat(filled, ignore_index=True), pd.concat(held_out, ignore_index=True), ratios


def _calibration_curves(held_out: pd.DataFrame, classes: Collection[str]) -> pd.DataFrame:
    """Calibration curves of all models, over the validation rows of all repeats."""
    curves = []
    for (protocol, model, target), group in held_out.groupby(["protocol", "model", "target"], sort=False):
        true, mean, std = (group[name].to_numpy() for name in ("true", "mean", "std"))
        if target in classes:
            curve = reliability_curve(true, mean).rename(columns={"probability": "level"})
            curve = curve.rename(columns={"frequency": "interval"}).assign(quantile=np.nan)
        elif (std > 0).any():
            curve = calibration_curve(true, mean, std)
        else:
            continue
        curves.append(curve.assign(protocol=str(protocol), model=str(model), target=str(target)))
    return pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=list(CALIBRATION)[1:])


def _log_errors(metrics: pd.DataFrame) -> None:
    errors = metrics[metrics["metric"].isin(["mae", "accuracy"])]
    errors = errors[(errors["split"] == "validation") & (errors["seed"] == -1)]
    for row in summarise(errors).itertuples():
        log.info(
            "%s %s %s repeat %d: %s %.4f +- %.4f %s",
            row.protocol,
            row.model,
            row.target,
            row.repeat,
            row.metric,
            row.mean,
            row.std,
            row.unit,
        )
