"""The opening of a scale's chapter: its rows, the scales it reads, and what it predicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nestmat.config.study import Study
from nestmat.data.targets import class_targets, number_targets
from nestmat.labels.scales import Labels
from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section

if TYPE_CHECKING:
    from nestmat.report.source import Source


@SECTIONS.register("scale")
class ScaleOpening(Section):
    """Rows, parents and targets of a scale."""

    part, last_entry_first = "scales", True

    def required_tables(self, study: Study, name: str) -> list[str]:
        """Features of the scale, which count its rows and bear the units."""
        return [f"features/{name}.parquet"]

    def numbers(self, source: Source, name: str) -> dict[str, Any]:
        """Rows, parents and targets; and which kinds of targets the study has, to explain their metrics."""
        from nestmat import tables

        study, labels = source.study, source.labels(name)
        rows = tables.read(source.path(f"features/{name}.parquet"), columns=["row_id"])
        return {
            "title": labels.title(),
            "rows": len(rows),
            "parents": [Labels(study, parent).title() for parent in labels.config.parents],
            "targets": {
                target: {"name": labels.name(target), "label": labels.axis(target)}
                for target in labels.config.targets
            },
            "classes_in_study": any(class_targets(study, scale) for scale in study.scales),
            "numbers_in_study": any(number_targets(study, scale) for scale in study.scales),
        }
