"""Errors of a target that is a number: of the headline predictor, and of every model."""

from __future__ import annotations

from typing import Any

import pandas as pd

from nestmat.errors import InputError
from nestmat.labels import comparisons
from nestmat.labels.scales import Labels
from nestmat.report.findings.published import (
    best_published,
    numbers_of,
    published_notes,
    published_rows,
)

PUBLISHED_METRICS = {"mae": "", "rmse": "RMSE "}
"""Metrics of published errors that are shown, with what stands before the number."""


def headline_errors(
    summary: pd.DataFrame, published: pd.DataFrame, labels: Labels, target: str
) -> list[dict[str, Any]]:
    """In each protocol the error of the headline predictor, of the best single model, and the best published.

    Args:
        summary: As `nestmat.labels.comparisons.summary`, of the first repeat.
        published: Published numbers of the scale, all models.
        labels: Names and units.
        target: Column that is predicted.
    """
    first = labels.headline
    rows = comparisons.held_out(summary, target, "mae")
    errors = []
    for protocol in comparisons.ordered(rows["protocol"], labels.config.protocols):
        by_model = {row["model"]: row for row in rows[rows["protocol"] == protocol].to_dict("records")}
        if first not in by_model:
            continue
        headline = by_model.pop(first)
        best = min(by_model.values(), key=lambda row: row["mean"], default=None)
        errors.append(
            {
                "protocol": labels.protocol(protocol),
                "predictor": first,
                "predictor_label": labels.model(first),
                "mae": headline,
                "best": best and {"label": labels.model(best["model"]), "mean": best["mean"]},
                "published": _against_published(summary, published, first, target, protocol),
            }
        )
    return errors


def _against_published(
    summary: pd.DataFrame, published: pd.DataFrame, model: str, target: str, protocol: str
) -> list[dict[str, Any]]:
    """The best published error in each metric, and by how much that of a model differs."""
    differences = []
    for metric, prefix in PUBLISHED_METRICS.items():
        best = best_published(published, target, protocol, metric)
        if best is not None:
            own = comparisons.held_out(summary, target, metric).set_index(["protocol", "model"])
            change = own.at[(protocol, model), "mean"] - best["value"]
            differences.append(
                {"prefix": prefix, "name": best["published"], "value": best["value"], "change": change}
            )
    return differences


def error_table(
    summary: pd.DataFrame, published: pd.DataFrame, labels: Labels, target: str, protocol: str
) -> dict[str, Any]:
    """Errors of all models in a protocol, best validation error first, with published ones.

    Args:
        summary: As `nestmat.labels.comparisons.summary`, of the first repeat.
        published: Published numbers of the scale.
        labels: Names and units.
        target: Column that is predicted.
        protocol: Protocol.

    Raises:
        InputError: There are no metrics of the protocol.
    """
    rows = rows_of_protocol(summary, labels, target, protocol)
    mae, validation = rows[rows["metric"] == "mae"], rows[rows["split"] == "validation"]
    train = {row["model"]: row["mean"] for row in mae[mae["split"] == "train"].to_dict("records")}
    pooled = {(row["model"], row["metric"]): row["pooled"] for row in validation.to_dict("records")}
    best_first = mae[mae["split"] == "validation"].sort_values("mean")
    published_errors = published_rows(published, target, protocol, PUBLISHED_METRICS).sort_values("value")
    return {
        "protocol": labels.protocol(protocol),
        "folds": int(best_first["folds"].max()),
        "rows": [
            {
                "label": labels.model(row["model"]),
                "family": labels.family(row["model"]),
                "mae": row,
                "published": numbers_of(published_errors, row["model"]),
                "rmse": pooled[row["model"], "rmse"],
                "r2": pooled[row["model"], "r2"],
                "train": train.get(row["model"], float("nan")),
            }
            for row in best_first.to_dict("records")
        ],
        "published": not published_errors.empty,
        "only_published": [
            {"name": row["published"], "published": [row]} for row in numbers_of(published_errors, "")
        ],
        "notes": published_notes(published_rows(published, target, protocol, PUBLISHED_METRICS)),
    }


def rows_of_protocol(summary: pd.DataFrame, labels: Labels, target: str, protocol: str) -> pd.DataFrame:
    """Rows of a summary for one target and protocol.

    Args:
        summary: As `nestmat.labels.comparisons.summary`.
        labels: Names and units.
        target: Column that is predicted.
        protocol: Protocol.

    Raises:
        InputError: There are none.
    """
    rows = summary[(summary["target"] == target) & (summary["protocol"] == protocol)]
    if rows.empty:
        raise InputError(
            f"There are no metrics of target {target!r} in protocol {protocol!r} of scale {labels.scale!r}.",
            remedy="delete the metrics of the scale and run again.",
        )
    return rows


def errors_by_seed(metrics: pd.DataFrame, labels: Labels, target: str) -> list[dict[str, Any]]:
    """Error or accuracy of each model with every seed of a split, for protocols that have further seeds.

    Args:
        metrics: Metrics of the scale.
        labels: Names and units.
        target: Column that is predicted.
    """
    metric = comparisons.compared_by(bool(labels.classes(target)))[0]
    summary = comparisons.summary(metrics, target=target, metric=metric)
    summary = summary[summary["split"] == "validation"]
    tables = []
    for protocol in labels.config.protocols:
        split = labels.study.strict if protocol == "strict" else labels.config.splits[protocol]
        wide = summary[summary["protocol"] == protocol].pivot(index="model", columns="repeat", values="mean")
        if wide.shape[1] < 2:
            continue
        seeds = split.build().all_seeds
        wide = wide.sort_values(wide.columns[0], ascending=metric not in comparisons.SCORES)
        tables.append(
            {
                "metric": comparisons.NAMES[metric],
                "protocol": labels.protocol(protocol),
                "seeds": [seeds[int(repeat)] for repeat in wide.columns],
                "rows": [
                    {
                        "label": labels.model(str(model)),
                        "values": values.tolist(),
                        "mean_of_others": float(values[1:].mean()),
                    }
                    for model, values in zip(wide.index, wide.to_numpy(), strict=True)
                ],
            }
        )
    return tables
