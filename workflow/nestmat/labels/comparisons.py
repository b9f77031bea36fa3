"""Numbers that figures and report share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

SIGNIFICANT = 0.05


def is_significant(comparison: Mapping[Any, Any]) -> bool:
    """Whether a comparison (low, high, p_value, p_folds) shows a difference.

    The interval must leave out zero. With few clusters it is too narrow, so the exchange of the models
    within clusters must agree. Clusters of one fold share their training rows, so the test over folds must
    agree as well. A protocol of one fold has no such test.
    """
    tests = comparison["p_value"] < SIGNIFICANT and not comparison["p_folds"] >= SIGNIFICANT
    return bool(tests and not comparison["low"] <= 0 <= comparison["high"])


SCORES = frozenset(("accuracy", "balanced_accuracy", "f1", "roc_auc", "r2"))
"""Metrics of which more is better; of all others less is."""
NAMES = {"mae": "MAE", "accuracy": "Accuracy", "roc_auc": "AUC"}
"""Metrics that models are compared by, as a label names them; AUC is the area under the ROC curve."""


def compared_by(classes: bool) -> list[str]:
    """Metrics that models are compared by, the first one the headline: of a class or of a number."""
    return ["accuracy", "roc_auc"] if classes else ["mae"]


def favours_first(comparison: Mapping[Any, Any]) -> bool:
    """Whether a difference that is shown (first minus second: metric, low, high) favours the first."""
    return comparison["low"] > 0 if comparison["metric"] in SCORES else comparison["high"] < 0


def verdict_words(nests: bool) -> tuple[str, str]:
    """What it is called when the first of two compared models is better, and when it is worse.

    Args:
        nests: Whether the scale has parents, so that the first model is a nested one.
    """
    return ("nesting helps", "nesting hurts") if nests else ("the first is better", "the first is worse")


EXPLAINED = 0.95


def explaining_latents(sweeps: pd.DataFrame, block: str) -> int | None:
    """Smallest latent size whose decoder explains 95 % of the variance of a block in held-out rows.

    Args:
        sweeps: Rows of a sweep whose head for the block has the loss ``mse``: on standardised columns its
            value is the share that is left unexplained.
        block: Name of the block.

    Returns:
        The size; None where no size does.
    """
    rows = sweeps[(sweeps["metric"] == "loss") & (sweeps["target"] == block) & (sweeps["fold"] >= 0)]
    unexplained = rows.groupby("latents")["value"].mean()
    sizes = unexplained.index[unexplained <= 1 - EXPLAINED]
    return int(sizes.min()) if len(sizes) else None


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


def held_out(
    summary: pd.DataFrame, target: str, metric: str | None = None, split: str = "validation"
) -> pd.DataFrame:
    """Rows of a summary for the left-out rows of a target, of one metric or of all.

    Args:
        summary: As `summary` returns it.
        target: Column that is predicted.
        metric: Keep this metric only.
        split: Which rows: those of a fold, or of regions that were left out, ``extrapolated``.
    """
    rows = summary[(summary["split"] == split) & (summary["target"] == target)]
    return rows if metric is None else rows[rows["metric"] == metric]


def verification_errors(rows: pd.DataFrame) -> tuple[float, int, int]:
    """How predictions of one quantity agree with calculations, of materials that were not trained on if any.

    Args:
        rows: Rows of `nestmat.design.verification.VERIFIED`.

    Returns:
        Mean absolute error, how many are within two predicted standard deviations, and of how many.
    """
    unseen = rows[~rows["trained_on"]]
    tested = rows if unseen.empty else unseen
    error = (tested["mean"] - tested["calculated"]).abs()
    return float(error.mean()), int((error <= 2 * tested["std"]).sum()), len(tested)


def ordered(names: Iterable[Any], first: Sequence[str]) -> list[str]:
    """The distinct ``names``, those of ``first`` in its order before the others in theirs."""
    distinct = list(dict.fromkeys(names))
    return [n for n in first if n in distinct] + [n for n in distinct if n not in first]
