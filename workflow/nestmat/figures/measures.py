"""Numbers that figures and report share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def summary(metrics: pd.DataFrame, *, target: str | None = None, metric: str | None = None) -> pd.DataFrame:
    """Means over folds of the ensembles over seeds.

    Args:
        metrics: Rows of `nestmat.tables.METRICS`.
        target: Keep this target only.
        metric: Keep this metric only.

    Returns:
        As `nestmat.evaluation.metrics.summarise`: protocol, model, target, repeat, split, metric, mean, std,
        folds, pooled, unit.
    """
    from nestmat.evaluation.metrics import summarise

    chosen = metrics[metrics["seed"] == -1]
    if target is not None:
        chosen = chosen[chosen["target"] == target]
    if metric is not None:
        chosen = chosen[chosen["metric"] == metric]
    return summarise(chosen)


def ordered(names: Iterable[Any], first: Sequence[str]) -> list[str]:
    """The distinct ``names``, those of ``first`` in its order before the others in theirs."""
    distinct = list(dict.fromkeys(names))
    return [n for n in first if n in distinct] + [n for n in distinct if n not in first]
