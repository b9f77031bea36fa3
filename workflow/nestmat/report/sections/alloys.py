"""What the proposed alloys are, and how draws of the prior and inversions of known alloys did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nestmat.config.study import Study
from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section

if TYPE_CHECKING:
    from nestmat.report.source import Source


@SECTIONS.register("alloys")
class Alloys(Section):
    """Elements, novelty and domain of alloys, and the details of methods that decode latents."""

    part, within = "search", "methods"

    def available(self, study: Study, name: str) -> bool:
        """Whether methods search for alloys."""
        problem = study.search[name]
        return bool(problem.methods) and problem.space.elements is not None

    def required_tables(self, study: Study, name: str) -> list[str]:
        """Metrics of the candidates."""
        return [f"search/{name}/metrics.parquet"]

    def numbers(self, source: Source, name: str) -> dict[str, Any]:
        """Findings and tables."""
        from nestmat.report.findings import alloys
        from nestmat.report.findings.method_metrics import MethodMetrics

        labels = source.problem_labels(name)
        metrics = MethodMetrics(source.table(f"search/{name}/metrics.parquet"), labels)
        return {
            "hit": alloys.hit_class(labels),
            "limits": alloys.limits(labels),
            "composition": alloys.leading_composition(metrics),
            "out_of_domain": alloys.out_of_domain(metrics),
            "alloys": alloys.alloy_table(metrics),
            "draws": alloys.decoded_draws(metrics),
            "inversions": alloys.inversions(metrics),
        }
