"""Accuracy of a class with few and with all labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nestmat.config.study import Study
from nestmat.data.targets import class_targets
from nestmat.figures.scales import labelled
from nestmat.labels import comparisons
from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section

if TYPE_CHECKING:
    import pandas as pd

    from nestmat.labels.scales import Labels
    from nestmat.report.source import Source


@SECTIONS.register("labels_needed")
class LabelsNeeded(Section):
    """The headline predictor in each series of protocols that differ in their labels alone."""

    part = "scales"

    def available(self, study: Study, name: str) -> bool:
        """Whether a class is learned from different numbers of labels."""
        return bool(class_targets(study, name) and labelled.series(study.scales[name]))

    def required_tables(self, study: Study, name: str) -> list[str]:
        """Metrics of the scale, and its features for the names of classes."""
        return [f"metrics/{name}.parquet", f"features/{name}.parquet"]

    def numbers(self, source: Source, name: str) -> dict[str, Any]:
        """The series of each class."""
        labels, summary = source.labels(name), source.summary(name)
        classes = [target for target in labels.config.targets if labels.classes(target)]
        return {"targets": {target: labelled_series(summary, labels, target) for target in classes}}


def labelled_series(summary: pd.DataFrame, labels: Labels, target: str) -> list[list[dict[str, Any]]]:
    """Labels, accuracy and AUC of the headline predictor along each series, fewest labels first.

    Args:
        summary: As `nestmat.labels.comparisons.summary`, of the first repeat.
        labels: Names and classes.
        target: Class that is predicted.
    """
    from nestmat.report.findings.classification import rows_by_metric

    first = labels.headline
    summary = summary[(summary["model"] == first) & (summary["target"] == target)]
    held_out = rows_by_metric(comparisons.held_out(summary, target))
    trained = rows_by_metric(summary[summary["split"] == "train"])
    every_series = []
    for protocols in labelled.series(labels.config):
        series = [
            {
                "labels": trained[protocol, first, "rows"]["mean"],
                "accuracy": held_out[protocol, first, "accuracy"],
                "roc_auc": held_out[protocol, first, "roc_auc"]["mean"],
            }
            for protocol in protocols
            if (protocol, first, "accuracy") in held_out
        ]
        if len(series) > 1:
            every_series.append(sorted(series, key=lambda entry: entry["labels"]))
    return every_series
