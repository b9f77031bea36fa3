"""Accuracy of every model in every protocol, in strata and with other seeds, with published values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nestmat.config.study import Study
from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section

if TYPE_CHECKING:
    from nestmat.labels.scales import Labels
    from nestmat.report.source import Source


@SECTIONS.register("results")
class Results(Section):
    """Errors of the targets of a scale."""

    part, title = "scales", "Accuracy"

    def required_tables(self, study: Study, name: str) -> list[str]:
        """Metrics of the scale and of its strata, and its features for the units."""
        strata = [f"strata/{name}.parquet"] if study.scales[name].strata else []
        return [f"metrics/{name}.parquet", f"features/{name}.parquet", *strata]

    def numbers(self, source: Source, name: str) -> dict[str, Any]:
        """Every target."""
        labels = source.labels(name)
        return {
            "targets": {target: _target(source, labels, target) for target in labels.config.targets},
            "citations": list(dict.fromkeys(source.published(name)["citation"])),
        }


def _target(source: Source, labels: Labels, target: str) -> dict[str, Any]:
    from nestmat.report.findings import classification, regression
    from nestmat.report.findings.strata import strata_tables

    name, of_class = labels.scale, bool(labels.classes(target))
    column = labels.columns.get(target)
    summary, published = source.summary(name), source.published(name)
    find, table = (
        (classification.headline_accuracy, classification.accuracy_table)
        if of_class
        else (regression.headline_errors, regression.error_table)
    )
    strata = source.table(f"strata/{name}.parquet") if labels.config.strata else None
    return {
        "of_class": of_class,
        "name": labels.name(target),
        "label": labels.axis(target),
        "unit": labels.unit(target),
        "headline": find(summary, published, labels, target),
        "uncertainty": getattr(column, "uncertainty", None),
        "tables": [table(summary, published, labels, target, p) for p in labels.config.protocols],
        "strata": [] if strata is None else strata_tables(strata, labels, target),
        "by_seed": regression.errors_by_seed(source.table(f"metrics/{name}.parquet"), labels, target),
    }
