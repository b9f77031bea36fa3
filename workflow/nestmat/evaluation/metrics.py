"""Metrics of every model of a scale, a fold and pooled, and their summary over folds."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.errors import InputError
from nestmat.evaluation.calibration import calibration_curve, calibration_metrics
from nestmat.evaluation.comparison import COMPARISONS, compare_pairs
from nestmat.tables import Column, Schema

log = logging.getLogger(__name__)

CALIBRATION: Schema = {
    "scale": Column("string"),
    "protocol": Column("string"),
    "model": Column("string"),
    "target": Column("string"),
    "level": Column("float64", description="nominal probability"),
    "quantile": Column(
        "float64", description="share of validation rows below the quantile of that probability"
    ),
    "interval": Column("float64", description="share inside the central interval of that probability"),
    "rows": Column("int64"),
}

WITH_UNIT = {"mae", "rmse", "sharpness"}
"""Metrics in the unit of the target; the others are pure numbers."""

RECONSTRUCTION = "reconstruction_r2"
"""Metric of a block that a head decodes: R2 of its scaled columns."""

_GROUP = ["protocol", "model", "target", "repeat", "seed", "split"]


def error_metrics(true: np.ndarray, mean: np.ndarray) -> dict[str, float]:
    """Mean absolute error, root-mean-square error and coefficient of determination of (n,) predictions.

    R2 is 1 - sum (y - p)^2 / sum (y - mean y)^2; NaN where y does not vary.
    """
    error = true - mean
    variation = np.sum((true - true.mean()) ** 2)
    return {
        "mae": float(np.mean(np.abs(error))),
        "rmse": float(np.sqrt(np.mean(error**2))),
        "r2": float(1.0 - np.sum(error**2) / variation) if variation > 0 else np.nan,
    }


def measure(predictions: pd.DataFrame) -> pd.DataFrame:
    """Metrics of predictions.

    Args:
        predictions: ``tables.PREDICTIONS``. Measured are members that left out a fold, and no inner one;
            uncertainty on validation rows only.

    Returns:
        Columns protocol, model, target, repeat, seed, split, fold, metric, value; fold -1 pools the rows of
        all folds of a repeat.
    """
    frame = predictions[
        (predictions["fold"] >= 0) & (predictions["inner"] < 0) & np.isfinite(predictions["true"])
    ]
    found: list[dict[str, Any]] = []
    for key, group in frame.groupby(_GROUP, sort=False):
        true, mean, std, fold = (group[name].to_numpy() for name in ("true", "mean", "std", "fold"))
        for k in [-1, *np.unique(fold)]:
            rows = slice(None) if k < 0 else fold == k
            values = error_metrics(true[rows], mean[rows])
            if key[-1] == "validation":
                values |= calibration_metrics(true[rows], mean[rows], std[rows])
            found += [
                dict(zip(_GROUP, key, strict=True), fold=int(k), metric=metric, value=value)
                for metric, value in values.items()
            ]
    return pd.DataFrame(found, columns=[*_GROUP, "fold", "metric", "value"])


def reconstructions(cards: Sequence[str | Path]) -> pd.DataFrame:
    """How much of each block the autoencoders give back, on rows left out of training.

    Args:
        cards: Cards of the trained models of a scale.

    Returns:
        As `measure`, with the block as target and the metric `RECONSTRUCTION`: R2 of the scaled block, mean
        over seeds; fold -1 is the mean over the folds of a repeat.
    """
    parts = []
    for path in cards:
        card = json.loads(Path(path).read_text(encoding="utf-8"))
        members = pd.DataFrame(card["members"])[["repeat", "fold"]]
        for block, values in card["facts"]["reconstruction"].items():
            known = members.assign(value=pd.Series(values, dtype=float)).dropna()
            by_fold = known.groupby(["repeat", "fold"], as_index=False)["value"].mean()
            over_all = by_fold.groupby("repeat", as_index=False)["value"].mean().assign(fold=-1)
            part = pd.concat([over_all, by_fold], ignore_index=True)
            parts.append(part.assign(protocol=card["protocol"], model=card["model"], target=block))
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    frame = frame.assign(seed=-1, split="validation", metric=RECONSTRUCTION)
    return frame.reindex(columns=[*_GROUP, "fold", "metric", "value"])


def summarise(metrics: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over folds, as publications state them.

    Args:
        metrics: ``tables.METRICS``.

    Returns:
        One row a scale, protocol, model, target, repeat, seed, split and metric: mean and std (of the
        population, over folds), folds (their number), pooled (over the rows of all folds), unit.
    """
    keys = ["scale", *_GROUP, "metric", "unit"]
    folds = metrics[metrics["fold"] >= 0].groupby(keys, sort=False)["value"]
    summary = folds.agg(mean="mean", std=lambda values: values.std(ddof=0), folds="size")
    pooled = metrics[metrics["fold"] == -1].set_index(keys)["value"].rename("pooled")
    return summary.join(pooled).reset_index()


def _curves(predictions: pd.DataFrame) -> pd.DataFrame:
    """Calibration curves of all models, over the validation rows of all repeats."""
    parts = [
        calibration_curve(*(group[name].to_numpy() for name in ("true", "mean", "std"))).assign(
            protocol=str(protocol), model=str(model), target=str(target)
        )
        for (protocol, model, target), group in predictions.groupby(
            ["protocol", "model", "target"], sort=False
        )
        if (group["std"] > 0).any()
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(CALIBRATION)[1:])


def evaluate_scale(
    predictions: Sequence[str | Path],
    cards: Sequence[str | Path],
    features: str | Path,
    scale: str,
    compare: Sequence[Sequence[str]],
    metrics: str | Path,
    comparisons: str | Path,
    calibration: str | Path,
    left_out: Mapping[str, str] | None = None,
    seed: int = 0,
) -> Mapping[str, pd.DataFrame]:
    """Measure all models of a scale and compare nested with single-scale ones.

    Args:
        predictions: Prediction files of the scale, of all protocols.
        cards: Cards of the scale's autoencoders, of all protocols: how much of their blocks they give back.
        features: Features table of the scale: materials, and units of the targets.
        scale: Name of the scale.
        compare: (nested, single) pairs of models.
        metrics: Where ``tables.METRICS`` is written.
        comparisons: Where ``comparison.COMPARISONS`` is written.
        calibration: Where `CALIBRATION` is written.
        left_out: Column whose levels are left out, by protocol that leaves out whole levels.
        seed: Seed of bootstrap and permutations.

    Returns:
        The three tables by name.

    Raises:
        InputError: The scale has no target and no card: nothing can be measured.
    """
    columns = tables.schema(features)
    if not cards and not any(column.role == "target" for column in columns.values()):
        raise InputError(
            "has no targets, and no cards are given that say what the models give back.",
            file=features,
            remedy="give the cards of the models.",
        )
    units = {name: column.unit for name, column in columns.items()}
    measured, validation = [reconstructions(cards)], []
    for path in predictions:
        frame = tables.read(path)
        measured.append(measure(frame))
        held = frame[(frame["split"] == "validation") & (frame["seed"] == -1) & np.isfinite(frame["true"])]
        validation.append(held)
    # An empty table has no types, and would take those of the others away.
    filled = [part for part in measured if not part.empty] or measured[:1]
    table = pd.concat(filled, ignore_index=True).assign(scale=scale)
    table["unit"] = table["target"].map(units).where(table["metric"].isin(WITH_UNIT), "")
    held = pd.concat(validation, ignore_index=True)
    rows = tables.read(features).set_index("row_id")
    levels = {protocol: rows[column] for protocol, column in (left_out or {}).items()}
    compared = compare_pairs(held, compare, rows["material"], levels, seed)
    pairs = pd.DataFrame(compared, columns=list(COMPARISONS))
    found = {
        "metrics": table[list(tables.METRICS)],
        "comparisons": pairs.assign(scale=scale, unit=pairs["target"].map(units)),
        "calibration": _curves(held).assign(scale=scale),
    }
    tables.write(metrics, found["metrics"], tables.METRICS)
    tables.write(comparisons, found["comparisons"], COMPARISONS)
    tables.write(calibration, found["calibration"], CALIBRATION)
    _report(found["metrics"])
    return found


def _report(metrics: pd.DataFrame) -> None:
    chosen = metrics[
        (metrics["metric"] == "mae") & (metrics["split"] == "validation") & (metrics["seed"] == -1)
    ]
    for row in summarise(chosen).itertuples():
        log.info(
            "%s %s %s repeat %d: MAE %.4f +- %.4f %s",
            row.protocol,
            row.model,
            row.target,
            row.repeat,
            row.mean,
            row.std,
            row.unit,
        )
