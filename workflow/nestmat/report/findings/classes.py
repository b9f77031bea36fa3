"""What a study found of a target that is a class, in sentences with numbers."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from nestmat.evaluation.classification import standard_error
from nestmat.figures import kind
from nestmat.figures.scales import labelled
from nestmat.labels import comparisons
from nestmat.labels.numbers import NO_BREAK, format_spread, format_value
from nestmat.labels.scales import Labels
from nestmat.labels.text import lower_first
from nestmat.report.findings.scale import best_published

PUBLISHED_METRICS = {
    "accuracy": "accuracy",
    "roc_auc": "AUC",
    "f1": "F1",
    "log_loss": "log-loss",
    "brier": "Brier",
}
"""Published metrics of a class that are shown, as a sentence names them."""


def held_out(metrics: pd.DataFrame, target: str) -> pd.DataFrame:
    """Summary of the validation rows of a target, of the first repeat or over repeats of one split."""
    table = comparisons.summary(metrics, target=target)
    return table[(table["repeat"] == 0) & (table["split"] == "validation")]


def by_metric(table: pd.DataFrame) -> dict[tuple[str, str, str], dict[Hashable, Any]]:
    """Rows of a summary by protocol, model and metric."""
    return {(row["protocol"], row["model"], row["metric"]): row for row in table.to_dict("records")}


def told(row: Mapping[Any, Any]) -> str:
    """Mean of a metric, with its spread over folds or repeats."""
    return format_spread(row["mean"], row["std"], count=row["folds"])


def accuracy(
    metrics: pd.DataFrame, published: pd.DataFrame, labels: Labels, target: str
) -> list[tuple[str, str]]:
    """One sentence a protocol: the headline predictor, the best single model, the best published value.

    Args:
        metrics: Metrics of the scale.
        published: Published numbers of the scale, all models.
        labels: Names and classes.
        target: Class that is predicted.

    Returns:
        Protocol's name and sentence.
    """
    first, table = kind.headline(labels.study, labels.scale), held_out(metrics, target)
    rows, found = by_metric(table), []
    for protocol in comparisons.ordered(table["protocol"], labels.config.protocols):
        if (protocol, first, "accuracy") not in rows:
            continue
        mine = {key[2]: row for key, row in rows.items() if key[:2] == (protocol, first)}
        row, name = mine["accuracy"], labels.model(first)
        predictor = "recommended predictor" if name == "Recommended" else lower_first(name)
        over = f"over {row['folds']} {row['over']} " if row["folds"] > 1 else "on one split "
        text = (
            f"Accuracy {told(row)}, AUC {told(mine['roc_auc'])} {over}({predictor}); the more frequent class "
            f"alone gives {format_value(mine['majority_rate']['mean'])}."
        )
        others = [
            row
            for (where, model, metric), row in rows.items()
            if where == protocol and model != first and metric == "accuracy"
        ]
        if others:
            best = max(others, key=lambda other: other["mean"])
            text += f" Best single model: {labels.model(best['model'])}, {format_value(best['mean'])}."
        for metric in comparisons.compared_by(classes=True):
            what, theirs = PUBLISHED_METRICS[metric], best_published(published, target, protocol, metric)
            if theirs is not None:
                change = mine[metric]["mean"] - theirs["value"]
                text += (
                    f" Best published {what}: {theirs['published']}, {format_value(theirs['value'])}; ours is "  # noqa: E501
                    f"{format_value(abs(change))} {'higher' if change > 0 else 'lower'}"
                )
                if metric == "accuracy":
                    # A published value is of one split, whatever ours is averaged over.
                    error = standard_error(theirs["value"], mine["rows"]["mean"])
                    text += f", and one such split has a standard error of {format_value(error)}"
                text += "."
        found.append((labels.protocol(protocol), text))
    return found


def optimism(metrics: pd.DataFrame, labels: Labels, target: str) -> str | None:
    """How far the published split flatters the headline predictor against the strict one."""
    rows, first = by_metric(held_out(metrics, target)), kind.headline(labels.study, labels.scale)
    published = next((name for name, split in labels.config.splits.items() if split.published), None)
    strict, theirs = (rows.get((str(name), first, "accuracy")) for name in ("strict", published))
    if strict is None or theirs is None:
        return None
    change = strict["mean"] - theirs["mean"]
    return (
        f"With whole materials left out along the chain the accuracy is {format_value(abs(change))} "
        f"{'more' if change > 0 else 'less'} than under the published split."
    )


def calibration(metrics: pd.DataFrame, labels: Labels, target: str) -> str | None:
    """How far the headline predictor's probabilities are from frequencies, in its first protocol."""
    table, first = held_out(metrics, target), kind.headline(labels.study, labels.scale)
    rows = by_metric(table)
    for protocol in comparisons.ordered(table["protocol"], labels.config.protocols):
        error = rows.get((protocol, first, "ece"))
        if error is not None:
            brier, where = rows[protocol, first, "brier"], lower_first(labels.protocol(protocol))
            return (
                f"Predicted probabilities are off the frequencies by {told(error)} on average (expected "
                f"calibration error), with a Brier score of {told(brier)} ({where})."
            )
    return None


def labels_needed(metrics: pd.DataFrame, labels: Labels, target: str) -> list[str]:
    """A sentence a series of protocols: the headline predictor with few and with all labels."""
    table, first = comparisons.summary(metrics, target=target), kind.headline(labels.study, labels.scale)
    table = table[(table["repeat"] == 0) & (table["model"] == first)]
    held, seen = (by_metric(table[table["split"] == split]) for split in ("validation", "train"))
    found = []
    for protocols in labelled.series(labels.config):
        run = [name for name in protocols if (name, first, "accuracy") in held]
        run.sort(key=lambda name: seen[name, first, "rows"]["mean"])
        parts = [
            f"{seen[name, first, 'rows']['mean']:.0f}{NO_BREAK}labels {told(held[name, first, 'accuracy'])} (AUC "  # noqa: E501
            f"{format_value(held[name, first, 'roc_auc']['mean'])})"
            for name in run
        ]
        if len(parts) > 1:
            found.append(f"Accuracy with {', '.join(parts)}.")
    return found


def single_split(rows: Mapping[str, Mapping[Any, Any]]) -> str:
    """What one split can tell: the number of test rows, and the standard error of an accuracy on them.

    Args:
        rows: Summary of one model and protocol by metric.
    """
    share, count = rows["accuracy"]["mean"], rows["rows"]["mean"]
    error = standard_error(share, count) if np.isfinite(share) else np.nan
    over = rows["rows"]["over"]
    parts = "fold" if over == "folds" and rows["rows"]["folds"] > 1 else "split"
    return (
        f"{count:.0f} test rows a {parts}; the standard error of an accuracy of {format_value(share)} on one of "  # noqa: E501
        f"them is {format_value(error)}; the more frequent class alone gives {format_value(rows['majority_rate']['mean'])}."  # noqa: E501
    )
