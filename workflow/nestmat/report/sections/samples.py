"""Samples of generators conditioned on a value: how far off, how many hits, how diverse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nestmat.config.study import Study
from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section

if TYPE_CHECKING:
    from nestmat.report.source import Source


@SECTIONS.register("samples")
class Samples(Section):
    """Samples of every generator."""

    part, within = "search", "methods"

    def available(self, study: Study, name: str) -> bool:
        """Whether a method samples a generator."""
        return any(method.model for method in study.search[name].methods.values())

    def required_tables(self, study: Study, name: str) -> list[str]:
        """Metrics of the candidates."""
        return [f"search/{name}/metrics.parquet"]

    def numbers(self, source: Source, name: str) -> dict[str, Any]:
        """All methods, and published values of the same task."""
        from nestmat.report.findings import samples
        from nestmat.report.findings.method_metrics import MethodMetrics

        labels = source.problem_labels(name)
        metrics = MethodMetrics(source.table(f"search/{name}/metrics.parquet"), labels)
        return {"best": samples.leading_samplers(metrics), "table_of": samples.sample_table(metrics)}
