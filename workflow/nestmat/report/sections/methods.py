"""How the search methods did: hits by the judges, against other lists, and at what price."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nestmat.config.study import Study
from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section
from nestmat.report.sections.problem import runs_of

if TYPE_CHECKING:
    from nestmat.report.source import Source


@SECTIONS.register("methods")
class Methods(Section):
    """Hits, enrichment, work and places of the candidates of every method."""

    part, title = "search", "Methods and judges"

    def available(self, study: Study, name: str) -> bool:
        """Whether methods are compared."""
        return bool(study.search[name].methods)

    def required_tables(self, study: Study, name: str) -> list[str]:
        """Metrics of the candidates, and the records of every search."""
        runs = [f"search/{name}/{method}.runs.parquet" for method in study.search[name].methods]
        return [f"search/{name}/metrics.parquet", *runs]

    def numbers(self, source: Source, name: str) -> dict[str, Any]:
        """Tables with a row a method."""
        from nestmat.report.findings import methods
        from nestmat.report.findings.method_metrics import MethodMetrics

        labels = source.problem_labels(name)
        metrics = MethodMetrics(source.table(f"search/{name}/metrics.parquet"), labels)
        of_alloys = labels.problem_config.space.elements is not None
        return {
            "hits": methods.hit_rates(metrics),
            "enrichment": methods.enrichment(metrics),
            "work": methods.work(metrics, runs_of(source, name)),
            "places": None if of_alloys else methods.places(metrics),
        }
