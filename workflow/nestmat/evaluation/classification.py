"""How good probabilities of a class are: decisions, ranking and calibration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

DECISION_THRESHOLD = 0.5
"""Probability from which class 1 is decided for."""
CERTAIN = 1e-3
"""Distance that probabilities keep from 0 and 1 in the log-loss: one certain mistake must not dominate it."""
BINS = 10
"""Bins of equal width that probabilities are compared with frequencies in."""


def roc_auc(true: np.ndarray, probability: np.ndarray) -> float:
    """Area under the ROC curve: the chance that a row of class 1 ranks above one of class 0, ties half.

    Args:
        true: 0 or 1, (n,).
        probability: Of class 1, (n,).

    Returns:
        The area; NaN where all rows are of one class.
    """
    ones = true == 1
    count = int(ones.sum())
    if not 0 < count < len(true):
        return np.nan
    above = pd.Series(probability).rank().to_numpy()[ones].sum() - count * (count + 1) / 2
    return float(above / (count * (len(true) - count)))


def reliability_curve(true: np.ndarray, probability: np.ndarray) -> pd.DataFrame:
    """Mean probability and frequency of class 1 in bins of equal width; bins without rows are left out.

    Args:
        true: 0 or 1, (n,).
        probability: Of class 1, (n,).

    Returns:
        Columns probability, frequency and rows.
    """
    bin_of_row = np.minimum((probability * BINS).astype(int), BINS - 1)
    rows = np.bincount(bin_of_row, minlength=BINS)
    filled = rows > 0
    sums = (np.bincount(bin_of_row, weights=values, minlength=BINS)[filled] for values in (probability, true))
    mean, frequency = (total / rows[filled] for total in sums)
    return pd.DataFrame({"probability": mean, "frequency": frequency, "rows": rows[filled]})


def calibration_error(true: np.ndarray, probability: np.ndarray) -> float:
    """Expected calibration error: mean distance of probability and frequency over the rows, by bins.

    Naeini, Cooper and Hauskrecht, AAAI (2015); arrays as in `reliability_curve`.
    """
    curve = reliability_curve(true, probability)
    distance = (curve["probability"] - curve["frequency"]).abs()
    return float((distance * curve["rows"]).sum() / len(true))


def class_metrics(true: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    """All measures of a class by name.

    ``accuracy``, ``balanced_accuracy`` (mean over the classes that occur) and ``f1`` (of class 1; 0 where it
    neither occurs nor is predicted) are of decisions at `DECISION_THRESHOLD`; ``roc_auc`` is of the ranking;
    ``log_loss`` (in nats, see `CERTAIN`), ``brier`` and ``ece`` are of the probabilities. ``majority_rate``
    is the accuracy of always predicting the class of most rows, and ``rows`` their number.

    Args:
        true: 0 or 1, (n,).
        probability: Of class 1, (n,).
    """
    decided = probability >= DECISION_THRESHOLD
    ones = true == 1
    right = decided == ones
    hits, positives, members = int((decided & ones).sum()), int(decided.sum()), int(ones.sum())
    bounded = np.clip(probability, CERTAIN, 1 - CERTAIN)
    return {
        "accuracy": float(right.mean()),
        "balanced_accuracy": float(np.mean([right[part].mean() for part in (ones, ~ones) if part.any()])),
        "f1": 2 * hits / (positives + members) if positives + members else 0.0,
        "roc_auc": roc_auc(true, probability),
        "log_loss": float(-np.log(np.where(ones, bounded, 1 - bounded)).mean()),
        "brier": float(np.square(probability - true).mean()),
        "ece": calibration_error(true, probability),
        "majority_rate": max(float(ones.mean()), 1 - float(ones.mean())),
        "rows": float(len(true)),
    }


def several_class_metrics(true: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """All measures of a target of three classes and more, by the names of `class_metrics`.

    Decided is for the class of the highest probability. ``f1`` is the mean over the classes that occur or are
    decided for, ``balanced_accuracy`` and ``roc_auc``, of each class against the rest, over those that occur;
    ``brier`` is the sum over the classes (Brier 1950), which of two would be twice that of `class_metrics`,
    and ``ece`` compares the probability of the class decided for with how often it is right.

    Args:
        true: Number of the class, (n,).
        probabilities: Of each class, (n, classes).

    Example:
        >>> sure = np.eye(3)[[0, 1, 2, 2]]
        >>> metrics = several_class_metrics(np.array([0, 1, 2, 1]), sure)
        >>> metrics["accuracy"], metrics["brier"], round(metrics["f1"], 3)
        (0.75, 0.5, 0.778)
    """
    count = probabilities.shape[1]
    decided = probabilities.argmax(axis=1)
    right = decided == true
    occurring = [number for number in range(count) if (true == number).any()]
    f1 = [
        2 * int((right & (true == number)).sum()) / int((true == number).sum() + (decided == number).sum())
        for number in range(count)
        if ((true == number) | (decided == number)).any()
    ]
    areas = [roc_auc((true == number).astype(float), probabilities[:, number]) for number in occurring]
    given = np.clip(probabilities[np.arange(len(true)), true], CERTAIN, 1 - CERTAIN)
    return {
        "accuracy": float(right.mean()),
        "balanced_accuracy": float(np.mean([right[true == number].mean() for number in occurring])),
        "f1": float(np.mean(f1)),
        "roc_auc": float(np.mean(areas)),
        "log_loss": float(-np.log(given).mean()),
        "brier": float(np.square(probabilities - np.eye(count)[true]).sum(axis=1).mean()),
        "ece": calibration_error(right.astype(float), probabilities.max(axis=1)),
        "majority_rate": float(np.bincount(true).max() / len(true)),
        "rows": float(len(true)),
    }


def confusion_counts(true: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Number of rows by their class and by the class of the highest probability, (classes, classes).

    Args:
        true: Number of the class, (n,).
        probabilities: Of each class, (n, classes).
    """
    count = probabilities.shape[1]
    pairs = true * count + probabilities.argmax(axis=1)
    return np.bincount(pairs, minlength=count**2).reshape(count, count)


def classes_side_by_side(predictions: pd.DataFrame, quantities: Sequence[str]) -> pd.DataFrame:
    """Predictions of a target of three classes and more, one row for all of its classes.

    Args:
        predictions: ``tables.PREDICTIONS``.
        quantities: Names of the probabilities of its classes.

    Returns:
        The other columns but ``std``, with the number of the true class as ``true``, and a column a class,
        named by its number, with its probability.
    """
    numbers = {quantity: number for number, quantity in enumerate(quantities)}
    rows = predictions[predictions["target"].isin(numbers)].drop(columns="std")
    rows = rows.assign(target=rows["target"].map(numbers))
    keys = [name for name in rows if name not in ("target", "true", "mean")]
    wide = rows.pivot(index=keys, columns="target", values=["true", "mean"])
    joined = wide["mean"].assign(true=wide["true"].to_numpy().argmax(axis=1)).reset_index()
    return joined.rename_axis(columns=None)


def roc_curve(true: np.ndarray, probability: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """True-positive rate on a grid of false-positive rates, linear between thresholds.

    Args:
        true: 0 or 1, (n,); both occur.
        probability: Of class 1, (n,).
        grid: False-positive rates, ascending from 0 to 1, (k,).

    Returns:
        (k,), from 0 to 1.
    """
    order = np.argsort(-probability, kind="stable")
    last = np.append(np.diff(probability[order]) != 0, True)
    hits, alarms = (np.append(0.0, np.cumsum(part[order])[last]) for part in (true, 1 - true))
    rate = np.interp(grid, alarms / alarms[-1], hits / hits[-1])
    rate[0] = 0.0
    return rate


def standard_error(share: float, rows: float) -> float:
    """Standard error of a share measured on so many independent rows."""
    return float(np.sqrt(share * (1 - share) / rows))
