"""What latents of semi-supervised models keep of compositions, and of the classes they should not hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nestmat.config.study import Study
from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section

if TYPE_CHECKING:
    from nestmat.report.source import Source


@SECTIONS.register("disentanglement")
class Disentanglement(Section):
    """Compositions decoded from the latents, and a probe of every class."""

    part, within = "scales", "results"

    def required_tables(self, study: Study, name: str) -> list[str]:
        """Metrics of the scale, and its features for the names of classes."""
        return [f"metrics/{name}.parquet", f"features/{name}.parquet"]

    def numbers(self, source: Source, name: str) -> dict[str, Any]:
        """All semi-supervised models in all protocols; empty where there are none."""
        from nestmat.report.findings import latents

        labels, summary = source.labels(name), source.summary(name)
        classes = [target for target in labels.config.targets if labels.classes(target)]
        return {
            "probes": {target: latents.first_probes(summary, labels, target) for target in classes},
            "compositions": latents.composition_table(summary, labels),
            "probe_tables": latents.probe_tables(summary, labels),
        }
