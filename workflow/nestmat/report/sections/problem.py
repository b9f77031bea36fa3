"""The opening of a design problem's chapter: its question, the method to use, and the model's promises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nestmat import tables
from nestmat.config.study import Study
from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section

if TYPE_CHECKING:
    import pandas as pd

    from nestmat.report.source import Source


@SECTIONS.register("problem")
class ProblemOpening(Section):
    """Question and verdict of a design problem."""

    part = "search"

    def required_tables(self, study: Study, name: str) -> list[str]:
        """Metrics of the candidates, and the records of every search."""
        methods = study.search[name].methods
        runs = [f"search/{name}/{method}.runs.parquet" for method in methods]
        return [f"search/{name}/metrics.parquet", *runs] if methods else []

    def numbers(self, source: Source, name: str) -> dict[str, Any]:
        """Rates of the verdict, and the errors of the searched model by the judges."""
        problem = source.study.search[name]
        verdict = promises = None
        unmet: list[str] = []
        if problem.methods:
            from nestmat.design.spaces import design_space
            from nestmat.report.findings import verdict as findings
            from nestmat.report.findings.method_metrics import MethodMetrics

            labels, file = source.problem_labels(name), f"search/{name}/metrics.parquet"
            metrics = MethodMetrics(source.table(file), labels)
            count = design_space(problem.space).n_materials
            verdict = findings.best_sampler(metrics) or findings.method_verdict(metrics, count)
            promises = findings.promises(metrics)
            unmet = findings.unmet_sentences(tables.provenance(source.path(file)), labels)
        return {
            "question": problem.question,
            "verdict": verdict,
            "promises": promises,
            "unmet": unmet,
        }


def runs_of(source: Source, problem: str) -> pd.DataFrame:
    """Evaluations of every search of a problem."""
    import pandas as pd

    methods = source.study.search[problem].methods
    return pd.concat([source.table(f"search/{problem}/{method}.runs.parquet") for method in methods])
