"""Metrics of every model of a scale, a fold and pooled, and their summary over folds."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.config.evaluation import Stratum
from nestmat.config.features import NUMBER_OF_ELEMENTS
from nestmat.errors import InputError
from nestmat.evaluation.calibration import calibration_curve, calibration_metrics
from nestmat.evaluation.classification import class_metrics, reliability_curve
from nestmat.evaluation.comparison import COMPARISONS, compare_pairs, held_shares
from nestmat.materials.formulas import elements
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

WITH_UNIT = {"mae", "rmse", "sharpness"}
"""Metrics in the unit of the target; the others are pure numbers."""

RECONSTRUCTION = "reconstruction_r2"
"""Metric of a block that a head decodes: R2 of its scaled columns."""
TOTAL_VARIATION = "total_variation"
"""Metric of a semi-supervised model: atoms that it decodes wrongly, in at%."""
PROBE, PROBE_WHITENED = "probe_accuracy", "probe_accuracy_whitened"
"""Accuracy of a probe that tells a class by z as they are, and by z made uncorrelated and of one scale."""

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


def measure(predictions: pd.DataFrame, classes: Collection[str] = ()) -> pd.DataFrame:
    """Metrics of predictions.

    Args:
        predictions: ``tables.PREDICTIONS``. Measured are members that left out a fold, and no inner one;
            uncertainty on validation rows only.
        classes: Targets that are classes, whose predictions are probabilities.

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
        folds, values = np.unique(fold), {}
        for k in [-1, *folds]:
            rows = slice(None) if k < 0 else fold == k
            # The rows of a single fold are all rows, which were measured first.
            if k < 0 or len(folds) > 1:
                what = key[2] in classes, key[-1] == "validation"
                values = _values(true[rows], mean[rows], std[rows], *what)
            found += [
                dict(zip(_GROUP, key, strict=True), fold=int(k), metric=metric, value=value)
                for metric, value in values.items()
            ]
    return pd.DataFrame(found, columns=[*_GROUP, "fold", "metric", "value"])


def _values(
    true: np.ndarray, mean: np.ndarray, std: np.ndarray, classes: bool, uncertainty: bool
) -> dict[str, float]:
    if classes:
        return class_metrics(true, mean)
    calibrated = calibration_metrics(true, mean, std) if uncertainty else {}
    return error_metrics(true, mean) | calibrated


def measure_strata(
    held: pd.DataFrame, rows: pd.DataFrame, strata: Mapping[str, Stratum], classes: Collection[str]
) -> pd.DataFrame:
    """Metrics of the validation rows of each stratum.

    Args:
        held: Validation rows of ensembles over seeds.
        rows: Features by row_id.
        strata: The strata by name.
        classes: Targets that are classes.

    Returns:
        The columns of `STRATA` without scale and unit.

    Raises:
        InputError: The features lack the column of a stratum.
    """
    keys = ["protocol", "model", "target", "repeat"]
    found: list[dict[str, Any]] = []
    for name, stratum in strata.items():
        values = _column(rows, stratum.column)
        low, high = stratum.low, stratum.high
        inside = values.between(-np.inf if low is None else low, np.inf if high is None else high)
        part = held[held["row_id"].isin(inside.index[inside])]
        for key, group in part.groupby(keys, sort=False):
            true, mean, std = (group[column].to_numpy() for column in ("true", "mean", "std"))
            measured = _values(true, mean, std, key[2] in classes, uncertainty=False)
            measured |= {"rows": float(len(group))}
            found += [
                dict(zip(keys, key, strict=True), stratum=name, metric=metric, value=value)
                for metric, value in measured.items()
            ]
    return pd.DataFrame(found, columns=[*keys, "stratum", "metric", "value"])


def _column(rows: pd.DataFrame, column: str) -> pd.Series:
    """A number of every row, by row_id."""
    if column == NUMBER_OF_ELEMENTS:
        return pd.Series([len(found) for found in elements(rows["formula"])], index=rows.index)
    if column not in rows or rows[column].dtype.kind not in "fi":
        raise InputError(
            "is no number column of the features.",
            column="strata",
            value=column,
            remedy=f"name a column of a feature block, a target, or {NUMBER_OF_ELEMENTS}.",
        )
    return rows[column]


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

    Where every repeat has one fold, as in a holdout, they are over the repeats instead, told as repeat 0.

    Args:
        metrics: ``tables.METRICS``.

    Returns:
        One row a scale, protocol, model, target, repeat, seed, split and metric: mean and std (of the
        population, over folds), folds (their number), over (what they are: folds or repeats), pooled (over
        the rows of all folds; of repeats the mean), unit.
    """
    keys = ["scale", *_GROUP, "metric", "unit"]
    by_protocol = metrics[metrics["fold"] >= 0].groupby(["scale", "protocol"])
    single = (by_protocol["fold"].nunique() == 1) & (by_protocol["repeat"].nunique() > 1)
    over_repeats = metrics.set_index(["scale", "protocol"]).index.isin(single.index[single])
    metrics = metrics.assign(
        repeat=metrics["repeat"].where(~over_repeats, 0), over=np.where(over_repeats, "repeats", "folds")
    )
    keys.append("over")
    folds = metrics[metrics["fold"] >= 0].groupby(keys, sort=False)["value"]
    summary = folds.agg(mean="mean", std=lambda values: values.std(ddof=0), folds="size")
    pooled = metrics[metrics["fold"] == -1].groupby(keys, sort=False)["value"].mean().rename("pooled")
    return summary.join(pooled).reset_index()


def _curves(predictions: pd.DataFrame, classes: Collection[str]) -> pd.DataFrame:
    """Calibration curves of all models, over the validation rows of all repeats."""
    parts = []
    for (protocol, model, target), group in predictions.groupby(["protocol", "model", "target"], sort=False):
        true, mean, std = (group[name].to_numpy() for name in ("true", "mean", "std"))
        if target in classes:
            curve = reliability_curve(true, mean).rename(columns={"probability": "level"})
            curve = curve.rename(columns={"frequency": "interval"}).assign(quantile=np.nan)
        elif (std > 0).any():
            curve = calibration_curve(true, mean, std)
        else:
            continue
        parts.append(curve.assign(protocol=str(protocol), model=str(model), target=str(target)))
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
    strata: str | Path | None = None,
    within: Mapping[str, Stratum | Mapping[str, Any]] | None = None,
    latents: Sequence[str | Path] = (),
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
        strata: Where `STRATA` is written; nowhere by default.
        within: Strata whose validation rows are measured by themselves, by name.
        latents: Metrics of the latents of semi-supervised models, of all protocols.
        seed: Seed of bootstrap and permutations.

    Returns:
        The four tables by name.

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
    classes = {name for name, column in columns.items() if column.role == "target" and column.classes}
    shares: dict[str, float] = {}
    measured, validation = [reconstructions(cards)], []
    for path in predictions:
        frame = tables.read(path)
        measured.append(measure(frame, classes))
        shares |= held_shares(frame)
        held = frame[(frame["split"] == "validation") & (frame["seed"] == -1) & np.isfinite(frame["true"])]
        validation.append(held)
    # An empty table has no types, and would take those of the others away.
    filled = [part for part in measured if not part.empty] or measured[:1]
    table = pd.concat(filled, ignore_index=True).assign(scale=scale)
    table["unit"] = table["target"].map(units).where(table["metric"].isin(WITH_UNIT), "")
    table = pd.concat([table, *(tables.read(path) for path in latents)], ignore_index=True)
    held = pd.concat(validation, ignore_index=True)
    rows = tables.read(features).set_index("row_id")
    levels = {protocol: rows[column] for protocol, column in (left_out or {}).items()}
    compared = compare_pairs(held, compare, rows["material"], levels, seed, classes, shares)
    pairs = pd.DataFrame(compared, columns=list(COMPARISONS))
    parts = {name: Stratum.model_validate(stratum) for name, stratum in (within or {}).items()}
    stratified = measure_strata(held, rows, parts, classes).assign(scale=scale)
    for one in (pairs, stratified):
        one["unit"] = one["target"].map(units).where(one["metric"].isin(WITH_UNIT), "")
    found = {
        "metrics": table[list(tables.METRICS)],
        "comparisons": pairs.assign(scale=scale),
        "calibration": _curves(held, classes).assign(scale=scale),
        "strata": stratified[list(STRATA)],
    }
    tables.write(metrics, found["metrics"], tables.METRICS)
    tables.write(comparisons, found["comparisons"], COMPARISONS)
    tables.write(calibration, found["calibration"], CALIBRATION)
    if strata:
        tables.write(strata, found["strata"], STRATA)
    _report(found["metrics"])
    return found


def _report(metrics: pd.DataFrame) -> None:
    told = metrics["metric"].isin(["mae", "accuracy"])
    chosen = metrics[told & (metrics["split"] == "validation") & (metrics["seed"] == -1)]
    for row in summarise(chosen).itertuples():
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
