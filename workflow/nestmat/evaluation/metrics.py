"""Metrics of models, a fold and pooled, and their summary over folds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nestmat import seals
from nestmat.evaluation.calibration import calibration_metrics
from nestmat.evaluation.classification import class_metrics, classes_side_by_side, several_class_metrics
from nestmat.models.keys import several_classes
from nestmat.training.inner_folds import EXTRAPOLATED

WITH_UNIT = {"mae", "rmse", "sharpness", "mean_std", "crps"}
"""Metrics in the unit of the target; the others are pure numbers."""

RECONSTRUCTION = "reconstruction_r2"
"""Metric of a block that a head decodes: R2 of its scaled columns."""
TOTAL_VARIATION = "total_variation"
"""Metric of a semi-supervised model: atoms that it decodes wrongly, in at%."""
PROBE, PROBE_WHITENED = "probe_accuracy", "probe_accuracy_whitened"
"""Accuracy of a probe that predicts a class from z as they are, and from z whitened."""

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


def measure(predictions: pd.DataFrame, classes: Mapping[str, Sequence[str]] | None = None) -> pd.DataFrame:
    """Metrics of predictions.

    Args:
        predictions: ``tables.PREDICTIONS``. Members are measured that left out a fold and no inner one, on
            regions those that left them out; their uncertainty on rows that did not train.
        classes: Names of the classes of each target that has some, whose predictions are probabilities.

    Returns:
        Columns protocol, model, target, repeat, seed, split, fold, metric, value; fold -1 pools the rows of
        all folds of a repeat.
    """
    whole = (predictions["inner"] < 0) | (predictions["split"] == EXTRAPOLATED)
    frame = predictions[(predictions["fold"] >= 0) & whole & np.isfinite(predictions["true"])]
    records: list[dict[str, Any]] = []
    several = several_classes(classes or {})
    of_one_class = {quantity for quantities in several.values() for quantity in quantities}
    for key, group in frame[~frame["target"].isin(of_one_class)].groupby(_GROUP, sort=False):
        true, mean, std, fold = (group[name].to_numpy() for name in ("true", "mean", "std", "fold"))
        is_class, is_left_out = key[2] in (classes or {}), key[-1] in ("validation", EXTRAPOLATED)
        folds, values = np.unique(fold), {}
        for k in [-1, *folds]:
            rows = slice(None) if k < 0 else fold == k
            # The rows of a single fold are all rows, which were measured first.
            if k < 0 or len(folds) > 1:
                values = score(true[rows], mean[rows], std[rows], is_class, is_left_out)
            records += [
                dict(zip(_GROUP, key, strict=True), fold=int(k), metric=metric, value=value)
                for metric, value in values.items()
            ]
    for target, quantities in several.items():
        records += _measure_several_classes(frame, target, quantities)
    return pd.DataFrame(records, columns=[*_GROUP, "fold", "metric", "value"])


def _measure_several_classes(
    frame: pd.DataFrame, target: str, quantities: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Records of `measure` of a target of three classes and more."""
    joined = classes_side_by_side(frame, quantities).assign(target=target)
    for key, group in joined.groupby(_GROUP, sort=False):
        folds = [(-1, group), *((int(str(fold)), part) for fold, part in group.groupby("fold"))]
        for fold, part in folds:
            probabilities = part[list(range(len(quantities)))].to_numpy()
            values = several_class_metrics(part["true"].to_numpy(), probabilities)
            for metric, value in values.items():
                yield dict(zip(_GROUP, key, strict=True), fold=fold, metric=metric, value=value)


def score(
    true: np.ndarray, mean: np.ndarray, std: np.ndarray, classes: bool, uncertainty: bool
) -> dict[str, float]:
    """Metrics of the predictions of one target, by name.

    Args:
        true: Measured values, (n,); of a class 0 or 1.
        mean: Predicted means, (n,); of a class its probability.
        std: Predicted standard deviations, (n,); NaN where none is stated.
        classes: Whether the target is a class.
        uncertainty: Whether the standard deviations are measured too.
    """
    if classes:
        return class_metrics(true, mean)
    calibrated = calibration_metrics(true, mean, std) if uncertainty else {}
    return error_metrics(true, mean) | calibrated


def reconstructions(cards: Sequence[str | Path]) -> pd.DataFrame:
    """How much of each block the autoencoders decode, on rows left out of training.

    Args:
        cards: Cards of the trained models of a scale.

    Returns:
        As `measure`, with the block as target and the metric `RECONSTRUCTION`: R2 of the scaled block, mean
        over seeds; fold -1 is the mean over the folds of a repeat.
    """
    parts = []
    for path in cards:
        card = seals.read_json(path)
        members = pd.DataFrame(card["members"])[["repeat", "fold"]]
        for block, values in card["facts"]["reconstruction"].items():
            decoded = members.assign(value=pd.Series(values, dtype=float)).dropna()
            by_fold = decoded.groupby(["repeat", "fold"], as_index=False)["value"].mean()
            over_all = by_fold.groupby("repeat", as_index=False)["value"].mean().assign(fold=-1)
            part = pd.concat([over_all, by_fold], ignore_index=True)
            parts.append(part.assign(protocol=card["protocol"], model=card["model"], target=block))
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    frame = frame.assign(seed=-1, split="validation", metric=RECONSTRUCTION)
    return frame.reindex(columns=[*_GROUP, "fold", "metric", "value"])


def summarise(metrics: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over folds, as publications state them.

    Where every repeat has one fold, as in a holdout, they are over the repeats instead, as repeat 0.

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
