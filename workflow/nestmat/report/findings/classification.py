"""Metrics of a target that is a class: of the headline predictor, and of every model."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from nestmat.evaluation.classification import standard_error
from nestmat.labels import comparisons
from nestmat.labels.scales import Labels
from nestmat.report.findings.published import (
    best_published,
    numbers_of,
    only_published,
    published_notes,
    published_rows,
)
from nestmat.report.findings.regression import rows_of_protocol

COLUMNS = {
    "accuracy": "Accuracy",
    "roc_auc": "AUC",
    "balanced_accuracy": "balanced",
    "f1": "F1",
    "log_loss": "Log-loss",
    "brier": "Brier",
    "ece": "ECE",
}
"""Metrics of the table, with their heads."""
PUBLISHED_METRICS = {
    "accuracy": "accuracy ",
    "roc_auc": "AUC ",
    "f1": "F1 ",
    "log_loss": "log-loss ",
    "brier": "Brier ",
}
"""Published metrics of a class that are shown, with what stands before the number."""

Rows = dict[tuple[str, str, str], dict[Hashable, Any]]
"""Rows of a summary by protocol, model and metric."""


def rows_by_metric(summary: pd.DataFrame) -> Rows:
    """Rows of a summary by protocol, model and metric."""
    return {(row["protocol"], row["model"], row["metric"]): row for row in summary.to_dict("records")}


def headline_accuracy(
    summary: pd.DataFrame, published: pd.DataFrame, labels: Labels, target: str
) -> list[dict[str, Any]]:
    """In each protocol the headline predictor, the best single model, and the best published value.

    Args:
        summary: As `nestmat.labels.comparisons.summary`, of the first repeat.
        published: Published numbers of the scale, all models.
        labels: Names and classes.
        target: Class that is predicted.
    """
    first, table = labels.headline, comparisons.held_out(summary, target)
    rows, accuracies = rows_by_metric(table), []
    for protocol in comparisons.ordered(table["protocol"], labels.config.protocols):
        if (protocol, first, "accuracy") not in rows:
            continue
        by_metric = {key[2]: row for key, row in rows.items() if key[:2] == (protocol, first)}
        accuracies_of_others = [
            row
            for (where, model, metric), row in rows.items()
            if where == protocol and model != first and metric == "accuracy"
        ]
        best = max(accuracies_of_others, key=lambda row: row["mean"], default=None)
        accuracies.append(
            {
                "protocol": labels.protocol(protocol),
                "predictor": first,
                "predictor_label": labels.model(first),
                "accuracy": by_metric["accuracy"],
                "roc_auc": by_metric["roc_auc"],
                "majority_rate": by_metric["majority_rate"]["mean"],
                "best": best and {"label": labels.model(best["model"]), "mean": best["mean"]},
                "published": _against_published(by_metric, published, target, protocol),
            }
        )
    return accuracies


def _against_published(
    by_metric: Mapping[str, Mapping[Hashable, Any]], published: pd.DataFrame, target: str, protocol: str
) -> list[dict[str, Any]]:
    """The best published value of each compared metric, our difference from it, and the error of a split."""
    differences = []
    for metric in comparisons.compared_by(classes=True):
        best = best_published(published, target, protocol, metric)
        if best is not None:
            rows = by_metric["rows"]["mean"]
            differences.append(
                {
                    "prefix": PUBLISHED_METRICS[metric],
                    "name": best["published"],
                    "value": best["value"],
                    "change": by_metric[metric]["mean"] - best["value"],
                    # A published value is of one split, even where ours is an average.
                    "error": standard_error(best["value"], rows) if metric == "accuracy" else None,
                }
            )
    return differences


def accuracy_table(
    summary: pd.DataFrame, published: pd.DataFrame, labels: Labels, target: str, protocol: str
) -> dict[str, Any]:
    """Metrics of all models in a protocol, best accuracy first, with published ones.

    Args:
        summary: As `nestmat.labels.comparisons.summary`, of the first repeat.
        published: Published numbers of the scale.
        labels: Names and classes.
        target: Class that is predicted.
        protocol: Protocol.

    Raises:
        InputError: There are no metrics of the protocol.
    """
    rows = rows_of_protocol(summary, labels, target, protocol)
    train = rows[(rows["metric"] == "accuracy") & (rows["split"] == "train")]
    train_accuracy = {row["model"]: row["mean"] for row in train.to_dict("records")}
    by_metric = rows_by_metric(rows[rows["split"] == "validation"])
    accuracies = [row for (_, _, metric), row in by_metric.items() if metric == "accuracy"]
    best_first = [row["model"] for row in sorted(accuracies, key=lambda row: -row["mean"])]
    published_metrics = published_rows(published, target, protocol, PUBLISHED_METRICS)
    first = {m: by_metric[protocol, best_first[0], m] for m in ("accuracy", "rows", "majority_rate")}
    return {
        "name": labels.name(target) if len(labels.config.targets) > 1 else "",
        "protocol": labels.protocol(protocol),
        "folds": accuracies[0]["folds"],
        "over": accuracies[0]["over"],
        "columns": list(COLUMNS.values()),
        "rows": [
            {
                "label": labels.model(model),
                "family": labels.family(model),
                "metrics": [by_metric[protocol, model, metric] for metric in COLUMNS],
                "train": train_accuracy.get(model),
                "published": numbers_of(published_metrics, model),
            }
            for model in best_first
        ],
        "published": not published_metrics.empty,
        "only_published": [
            {"name": name, "published": numbers_of(published_metrics, "", name)}
            for name in only_published(published_metrics)
        ],
        "split": split_precision(first),
        "notes": published_notes(published_metrics),
    }


def split_precision(rows: Mapping[str, Mapping[Any, Any]]) -> dict[str, Any]:
    """Precision of one split: the number of test rows, and the standard error of an accuracy on them.

    Args:
        rows: Summary of one model and protocol by metric.
    """
    accuracy, count = rows["accuracy"]["mean"], rows["rows"]["mean"]
    return {
        "accuracy": accuracy,
        "rows": count,
        "error": standard_error(accuracy, count) if np.isfinite(accuracy) else np.nan,
        "of_fold": rows["rows"]["over"] == "folds" and rows["rows"]["folds"] > 1,
        "majority_rate": rows["majority_rate"]["mean"],
    }
