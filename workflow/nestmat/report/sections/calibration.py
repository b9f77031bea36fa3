"""How far predicted uncertainties are right: intervals of numbers, probabilities of classes."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from nestmat.config.study import Study
from nestmat.labels import comparisons
from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section

if TYPE_CHECKING:
    import pandas as pd

    from nestmat.labels.scales import Labels
    from nestmat.report.source import Source


@SECTIONS.register("calibration")
class Calibration(Section):
    """Coverage of the headline predictor's intervals, or its calibration error."""

    part, title = "scales", "Uncertainty"

    def available(self, study: Study, name: str) -> bool:
        """Whether the scale predicts something."""
        return bool(study.scales[name].targets)

    def required_tables(self, study: Study, name: str) -> list[str]:
        """Metrics of the scale, and its features for the names of classes."""
        return [f"metrics/{name}.parquet", f"features/{name}.parquet"]

    def numbers(self, source: Source, name: str) -> dict[str, Any]:
        """Coverage of numbers and calibration errors of classes, by target."""
        labels, summary = source.labels(name), source.summary(name)
        targets = labels.config.targets
        return {
            "names": {target: labels.name(target) for target in targets},
            "units": {target: labels.unit(target) for target in targets},
            "coverage": {t: interval_coverage(summary, labels, t) for t in targets if not labels.classes(t)},
            "errors": {t: calibration_errors(summary, labels, t) for t in targets if labels.classes(t)},
        }


def _headline_rows(
    summary: pd.DataFrame,
    labels: Labels,
    target: str,
    metrics: tuple[str, ...],
    split: str = "validation",
) -> list[dict[str, Any]]:
    """Metrics of the headline predictor on a split, in each protocol that has the first of them."""
    rows = comparisons.held_out(summary, target, split=split)
    rows = rows[rows["model"] == labels.headline]
    by_key = {(row["protocol"], row["metric"]): row for row in rows.to_dict("records")}
    return [
        {"protocol": labels.protocol(protocol), **{metric: by_key[protocol, metric] for metric in metrics}}
        for protocol in comparisons.ordered(rows["protocol"], labels.config.protocols)
        if (protocol, metrics[0]) in by_key
    ]


def interval_coverage(summary: pd.DataFrame, labels: Labels, target: str) -> list[dict[str, Any]]:
    """How the headline predictor's intervals hold, by protocol, and where a kind of material was left out.

    Args:
        summary: As `nestmat.labels.comparisons.summary`, of the first repeat.
        labels: Names and units.
        target: Number that is predicted.
    """
    from nestmat.training.inner_folds import EXTRAPOLATED

    metrics = ("coverage_68", "coverage_95", "mean_std", "crps", "ence", "error_spread_correlation")
    kinds = {"validation": "", EXTRAPOLATED: ", a kind of material left out"}
    return [
        {"protocol": row["protocol"] + kind, **{metric: row[metric]["pooled"] for metric in metrics}}
        for split, kind in kinds.items()
        for row in _headline_rows(summary, labels, target, metrics, split)
        if isfinite(row["coverage_68"]["pooled"])
    ]


def calibration_errors(summary: pd.DataFrame, labels: Labels, target: str) -> list[dict[str, Any]]:
    """Expected calibration error and Brier score of the headline predictor, by protocol.

    Args:
        summary: As `nestmat.labels.comparisons.summary`, of the first repeat.
        labels: Names and classes.
        target: Class that is predicted.
    """
    return _headline_rows(summary, labels, target, ("ece", "brier"))
