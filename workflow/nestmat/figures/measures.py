"""Numbers that figures and report share: means and spreads over folds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

ENTRY = ["protocol", "model", "target", "split", "metric"]
"""Columns that name one number of the metrics table, beside repeat, fold and seed."""


def over_folds(metrics: pd.DataFrame, repeat: int | None = 0) -> pd.DataFrame:
    """Mean and standard deviation over folds of the ensemble's metrics.

    The standard deviation is the population's (divisor n), as numpy's default and so the published tables have
    it.

    Args:
        metrics: Rows of `nestmat.tables.METRICS`.
        repeat: The repeat to take; None takes those after 0, the seeds that nobody tuned on, each fold once.

    Returns:
        Columns of `ENTRY`, unit, mean, sd, folds.
    """
    chosen = metrics["repeat"] > 0 if repeat is None else metrics["repeat"] == repeat
    rows = metrics[chosen & (metrics["fold"] >= 0) & (metrics["seed"] == -1)]
    grouped = rows.groupby([*ENTRY, "unit"], sort=False, dropna=False)["value"]
    frame = grouped.agg(mean="mean", sd=lambda v: float(np.std(v)), folds="count").reset_index()
    return frame


def by_repeat(metrics: pd.DataFrame) -> pd.DataFrame:
    """Mean over folds of each repeat: columns of `ENTRY`, unit, repeat, mean."""
    rows = metrics[(metrics["fold"] >= 0) & (metrics["seed"] == -1)]
    grouped = rows.groupby([*ENTRY, "unit", "repeat"], sort=False, dropna=False)["value"]
    return grouped.mean().rename("mean").reset_index()


def pooled(metrics: pd.DataFrame) -> pd.DataFrame:
    """Metrics of the ensemble over all folds of the first repeat taken together: `ENTRY`, unit, value."""
    rows = metrics[(metrics["repeat"] == 0) & (metrics["fold"] == -1) & (metrics["seed"] == -1)]
    return rows[[*ENTRY, "unit", "value"]]


def errors(true: np.ndarray, mean: np.ndarray) -> dict[str, float]:
    """Mean absolute error, root mean square error and R2 of predictions, each (n,)."""
    residual = mean - true
    total = float(np.sum((true - true.mean()) ** 2))
    return {
        "mae": float(np.mean(np.abs(residual))),
        "rmse": float(np.sqrt(np.mean(residual**2))),
        "r2": 1 - float(np.sum(residual**2)) / total if total > 0 else np.nan,
    }


def ordered(names: Sequence[str], first: Sequence[str]) -> list[str]:
    """The distinct ``names``, those of ``first`` in its order before the others in theirs."""
    distinct = list(dict.fromkeys(names))
    return [n for n in first if n in distinct] + [n for n in distinct if n not in first]
