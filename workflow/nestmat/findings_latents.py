"""What the latents of semi-supervised models keep, in a sentence and a table."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pandas as pd

from nestmat.evaluation.metrics import PROBE, TOTAL_VARIATION
from nestmat.figures import measures
from nestmat.figures.style import Labels, lower_first
from nestmat.findings import GAP, spread, value

SPLITS = {"train": "labelled rows", "unlabelled": "rows without label", "validation": "left-out rows"}
"""Rows that are measured, as a sentence names them."""

Rows = dict[tuple[str, str], dict[Hashable, Any]]


def _measured(metrics: pd.DataFrame, labels: Labels) -> dict[tuple[str, str], pd.DataFrame]:
    """Summary of each semi-supervised model in each protocol that it runs in, strict first."""
    table = measures.summary(metrics)
    table = table[table["repeat"] == 0]
    told = table[table["metric"] == TOTAL_VARIATION]
    return {
        (model, protocol): table[(table["model"] == model) & (table["protocol"] == protocol)]
        for model in measures.ordered(told["model"], list(labels.config.models))
        for protocol in measures.ordered(
            told.loc[told["model"] == model, "protocol"], labels.config.protocols
        )
    }


def _rows(table: pd.DataFrame, target: str | None = None) -> Rows:
    chosen = table[table["metric"] == TOTAL_VARIATION] if target is None else table[table["target"] == target]
    return {(row["metric"], row["split"]): row for row in chosen.to_dict("records")}


def _told(row: dict[Hashable, Any], unit: str = "") -> str:
    return spread(row["mean"], row["std"], unit, row["folds"])


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
            f"{_told(mine[PROBE, 'validation'])}; the more frequent class alone gives {value(rate)} "
            f"({lower_first(labels.protocol(protocol))})."
        )
    return list(found.values())


def latents_table(metrics: pd.DataFrame, labels: Labels) -> dict[str, Any] | None:
    """Table of all semi-supervised models and protocols; None where there is none.

    Args:
        metrics: Metrics of the scale.
        labels: Names and units.
    """
    measured = _measured(metrics, labels)
    if not measured:
        return None
    probed = pd.concat(measured.values())
    targets = measures.ordered(probed.loc[probed["metric"] == PROBE, "target"], labels.config.targets)
    heads = [("Model", ""), ("Protocol", "")]
    heads += [(f"{name} (at%)".capitalize(), "n") for name in SPLITS.values()]
    for target in targets:
        several = f" {labels.name(target)}:" if len(targets) > 1 else ""
        heads += [
            (f"Probe,{several} left-out rows", "n"),
            ("labelled rows", "n"),
            ("more frequent class", "n"),
        ]
    rows = []
    for (model, protocol), table in measured.items():
        kept = _rows(table)
        cells = [labels.model(model), labels.protocol(protocol)]
        cells += [
            _told(kept[TOTAL_VARIATION, split]) if (TOTAL_VARIATION, split) in kept else "–"
            for split in SPLITS
        ]
        for target in targets:
            mine = _rows(table, target)
            cells += [
                _told(mine[key]) if key in mine else "–"
                for key in ((PROBE, "validation"), (PROBE, "train"), ("majority_rate", "validation"))
            ]
        rows.append(("autoencoder", cells))
    note = (
        "Compositions: total variation, half the sum of the absolute differences of all shares, of what is "
        "decoded from latents that were encoded without the label. Probe: accuracy with which the 15 nearest "
        f"labelled rows in z tell the class, of left-out rows, and cross-validated in five folds of labelled "
        "rows; where z and the target are independent it is that of the more frequent class of the left-out "
        f"rows. Mean{GAP}±{GAP}standard deviation over folds, or over repeats of a split."
    )
    return {"caption": "What the latents z keep", "head": heads, "rows": rows, "note": note}
