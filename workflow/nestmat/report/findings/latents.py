"""What the latents of semi-supervised models keep: decoded compositions, and probes of every class."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import pandas as pd

from nestmat.evaluation.metrics import PROBE, PROBE_WHITENED, TOTAL_VARIATION
from nestmat.labels import comparisons
from nestmat.labels.scales import Labels

SPLITS = ("train", "unlabelled", "validation")
"""Rows that are measured: with label, without, and left out."""
PROBES = tuple(
    (metric, split)
    for split in ("validation", "train")
    for metric in (PROBE, PROBE_WHITENED, "majority_rate")
)
"""Metrics and rows of a table of probes, in its order."""

Rows = dict[tuple[str, str], dict[Hashable, Any]]


def _by_model(summary: pd.DataFrame, labels: Labels) -> dict[tuple[str, str], pd.DataFrame]:
    """Summary of each semi-supervised model in each protocol that it runs in, strict first."""
    rows = summary[summary["metric"] == TOTAL_VARIATION]
    return {
        (model, protocol): summary[(summary["model"] == model) & (summary["protocol"] == protocol)]
        for model in comparisons.ordered(rows["model"], list(labels.config.models))
        for protocol in comparisons.ordered(
            rows.loc[rows["model"] == model, "protocol"], labels.config.protocols
        )
    }


def _by_metric(rows: pd.DataFrame) -> Rows:
    return {(row["metric"], row["split"]): row for row in rows.to_dict("records")}


def _compositions(rows: pd.DataFrame) -> Rows:
    return _by_metric(rows[rows["metric"] == TOTAL_VARIATION])


def first_probes(summary: pd.DataFrame, labels: Labels, target: str) -> list[dict[str, Any]]:
    """What z of each semi-supervised model decodes, and how well it separates a class, in the first protocol.

    Args:
        summary: As `nestmat.labels.comparisons.summary`, of the first repeat.
        labels: Names and units.
        target: The class.
    """
    by_model: dict[str, dict[str, Any]] = {}
    for (model, protocol), rows in _by_model(summary, labels).items():
        probe, compositions = _by_metric(rows[rows["target"] == target]), _compositions(rows)
        if model not in by_model and (PROBE, "validation") in probe:
            by_model[model] = {
                "model": labels.model(model),
                "protocol": labels.protocol(protocol),
                "total_variation": {
                    split: compositions[TOTAL_VARIATION, split]
                    for split in SPLITS
                    if (TOTAL_VARIATION, split) in compositions
                },
                "probe": probe[PROBE, "validation"],
                "probe_whitened": probe[PROBE_WHITENED, "validation"],
                "majority_rate": probe["majority_rate", "validation"]["mean"],
            }
    return list(by_model.values())


def composition_table(summary: pd.DataFrame, labels: Labels) -> list[dict[str, Any]]:
    """Total variation of decoded compositions: a row a model and protocol, a cell a kind of rows.

    Args:
        summary: As `nestmat.labels.comparisons.summary`, of the first repeat.
        labels: Names and units.
    """
    return [
        _row(labels, key, _compositions(rows), [(TOTAL_VARIATION, split) for split in SPLITS])
        for key, rows in _by_model(summary, labels).items()
    ]


def probe_tables(summary: pd.DataFrame, labels: Labels) -> list[dict[str, Any]]:
    """Accuracy of the probes of every class: a row a model and protocol, a cell each of `PROBES`.

    Args:
        summary: As `nestmat.labels.comparisons.summary`, of the first repeat.
        labels: Names and units.
    """
    by_model = _by_model(summary, labels)
    if not by_model:
        return []
    rows = pd.concat(by_model.values())
    targets = comparisons.ordered(rows.loc[rows["metric"] == PROBE, "target"], labels.config.targets)
    return [
        {
            "target": labels.name(target) if len(labels.config.targets) > 1 else "",
            "rows": [
                _row(labels, key, _by_metric(rows[rows["target"] == target]), PROBES)
                for key, rows in by_model.items()
            ],
        }
        for target in targets
    ]


def _row(
    labels: Labels, key: tuple[str, str], rows: Rows, cells: Iterable[tuple[str, str]]
) -> dict[str, Any]:
    model, protocol = key
    return {
        "model": labels.model(model),
        "protocol": labels.protocol(protocol),
        "cells": [rows.get(cell) for cell in cells],
    }
