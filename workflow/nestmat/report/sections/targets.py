"""Targets and constraints of a design problem, and the materials that may be proposed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nestmat.config.study import Study
from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section

if TYPE_CHECKING:
    from nestmat.labels.problems import DesignLabels
    from nestmat.report.source import Source


@SECTIONS.register("targets")
class TargetsSection(Section):
    """Targets, constraints and space of a problem."""

    part, title = "search", "Targets and space"

    def required_tables(self, study: Study, name: str) -> list[str]:
        """Metrics of the candidates, which hold the criteria of geometry."""
        return [f"search/{name}/metrics.parquet"] if study.search[name].methods else []

    def numbers(self, source: Source, name: str) -> dict[str, Any]:
        """Configuration of the problem with the names and units of its quantities."""
        from nestmat.design.spaces import design_space
        from nestmat.report.findings.method_metrics import MethodMetrics

        labels, problem = source.problem_labels(name), source.study.search[name]
        windows: list[str] = []
        if problem.methods:
            windows = MethodMetrics(source.table(f"search/{name}/metrics.parquet"), labels).windows
        return {
            **describe_problem(labels, design_space(problem.space).n_materials),
            "windows": [window.removesuffix("_window") for window in windows],
        }


def describe_problem(labels: DesignLabels, count: int | None) -> dict[str, Any]:
    """Targets, constraints and space of a problem, each with the name and unit of its quantity.

    Args:
        labels: Names, units and configuration.
        count: Number of materials of the space; None where a variable has no grid.
    """
    problem = labels.problem_config
    variables = [
        (config, {"config": config, "name": labels.name(name), "unit": labels.unit(name)})
        for name, config in problem.space.variables.items()
    ]
    return {
        "targets": [
            {"config": target, "name": labels.name(target.quantity), "unit": labels.unit(target.quantity)}
            for target in problem.targets
        ],
        "constraints": [
            {"config": bound, "name": labels.name(bound.quantity), "unit": labels.unit(bound.quantity)}
            for bound in problem.constraints
        ],
        "predicted_by": {"scale": labels.title(problem.scale), "model": labels.model(problem.model)},
        "stacks": {
            "compared": labels.study.searches_recommended(labels.problem, problem.protocol),
            "in_use": labels.study.searches_recommended(labels.problem),
        },
        "sites": problem.space.sites or {},
        "elements": problem.space.elements,
        "free": [variable for config, variable in variables if config.value is None],
        "fixed": [variable for config, variable in variables if config.value is not None],
        "count": count,
    }
