"""What the latents of semi-supervised models keep, in a sentence and a table."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pandas as pd

from nestmat.evaluation.metrics import PROBE, PROBE_WHITENED, TOTAL_VARIATION
from nestmat.labels import comparisons
from nestmat.labels.numbers import NO_BREAK, format_spread, format_value
from nestmat.labels.scales import Labels
from nestmat.labels.text import lower_first

SPLITS = {"train": "labelled rows", "unlabelled": "rows without label", "validation": "left-out rows"}
"""Rows that are measured, as a sentence names them."""

Rows = dict[tuple[str, str], dict[Hashable, Any]]


def _measured(metrics: pd.DataFrame, labels: Labels) -> dict[tuple[str, str], pd.DataFrame]:
    """Summary of each semi-supervised model in each protocol that it runs in, strict first."""
    table = comparisons.summary(metrics)
    table = table[table["repeat"] == 0]
    told = table[table["metric"] == TOTAL_VARIATION]
    return {
        (model, protocol): table[(table["model"] == model) & (table["protocol"] == protocol)]
        for model in comparisons.ordered(told["model"], list(labels.config.models))
        for protocol in comparisons.ordered(
            told.loc[told["model"] == model, "protocol"], labels.config.protocols
        )
    }


def _rows(table: pd.DataFrame, target: str | None = None) -> Rows:
    chosen = table[table["metric"] == TOTAL_VARIATION] if target is None else table[table["target"] == target]
    return {(row["metric"], row["split"]): row for row in chosen.to_dict("records")}


def _told(row: dict[Hashable, Any], unit: str = "") -> str:
    return format_spread(row["mean"], row["std"], unit, row["folds"])


def disentanglement(metrics: pd.DataFrame, labels: Labels, target: str) -> list[str]:
    """What z of each semi-supervised model gives back, and what it tells of a class, in the first protocol.

    Args:
        metrics: Metrics of the scale.
        labels: Names and units.
        target: The class.

    Returns:
        A sentence or two for each model that predicts the class.
    """
    found: dict[str, str] = {}
    for (model, protocol), table in _measured(metrics, labels).items():
        mine, kept = _rows(table, target), _rows(table)
        if model in found or (PROBE, "validation") not in mine:
            continue
        parts = [
            f"{_told(kept[TOTAL_VARIATION, split], 'at%')} of {name}"
            for split, name in SPLITS.items()
            if (TOTAL_VARIATION, split) in kept
        ]
        name, rate = labels.model(model), mine["majority_rate", "validation"]["mean"]
        found[model] = (
            f"{name[:1].upper()}{name[1:]} decodes its latents to compositions that are off by "
            f"{', '.join(parts)}. The nearest neighbours in z tell the class with an accuracy of "
            f"{_told(mine[PROBE, 'validation'])}, in z made uncorrelated and of one scale "
            f"{_told(mine[PROBE_WHITENED, 'validation'])}; the more frequent class alone gives {format_value(rate)} "  # noqa: E501
            f"({lower_first(labels.protocol(protocol))})."
        )
    return list(found.values())


def latents_tables(metrics: pd.DataFrame, labels: Labels) -> list[dict[str, Any]]:
    """Tables of all semi-supervised models and protocols: what they decode, and a probe of every class.

    Args:
        metrics: Metrics of the scale.
        labels: Names and units.
    """
    measured = _measured(metrics, labels)
    if not measured:
        return []
    over = f"Mean{NO_BREAK}±{NO_BREAK}standard deviation over folds, or over repeats of a split."
    columns = {(TOTAL_VARIATION, split): name.capitalize() for split, name in SPLITS.items()}
    note = (
        "Total variation: half the sum of the absolute differences of all shares of an alloy, decoded from "
        f"latents that were encoded without the label. {over}"
    )
    found = [_table(measured, labels, None, "Compositions decoded from the latents (at%)", columns, note)]
    probed = pd.concat(measured.values())
    columns = {
        (PROBE, "validation"): "Left-out rows",
        (PROBE_WHITENED, "validation"): "whitened z",
        ("majority_rate", "validation"): "more frequent class",
        (PROBE, "train"): "Labelled rows",
        (PROBE_WHITENED, "train"): "whitened z",
        ("majority_rate", "train"): "more frequent class",
    }
    note = (
        "Accuracy with which the 15 nearest labelled rows in z tell the class: of left-out rows, and of "
        "labelled rows in a cross-validation of five folds. Where z is independent of the class it is no "
        "more than that of the more frequent class. Whitened: by z made uncorrelated and of one scale, which "
        f"shows what small directions hide. {over}"
    )
    for target in comparisons.ordered(probed.loc[probed["metric"] == PROBE, "target"], labels.config.targets):
        several = f": {labels.name(target)}" if len(labels.config.targets) > 1 else ""
        caption = f"Accuracy of the nearest neighbours in z{several}"
        found.append(_table(measured, labels, target, caption, columns, note))
    return found


def _table(
    measured: dict[tuple[str, str], pd.DataFrame],
    labels: Labels,
    target: str | None,
    caption: str,
    columns: dict[tuple[str, str], str],
    note: str,
) -> dict[str, Any]:
    """A row a model and protocol, a column a metric and split."""
    rows = []
    for (model, protocol), table in measured.items():
        mine = _rows(table, target)
        cells = [_told(mine[key]) if key in mine else "–" for key in columns]
        rows.append(("autoencoder", [labels.model(model), labels.protocol(protocol), *cells]))
    head = [("Model", ""), ("Protocol", ""), *((text, "n") for text in columns.values())]
    return {"caption": caption, "head": head, "rows": rows, "note": note}
