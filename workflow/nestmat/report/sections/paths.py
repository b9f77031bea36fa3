"""Paths from one material to another: how straight they are, and the worst that is predicted on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nestmat.config.study import Study
from nestmat.labels.problems import PATHS, DesignLabels, judge_name, order_judges
from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section

if TYPE_CHECKING:
    import pandas as pd

    from nestmat.report.source import Source


@SECTIONS.register("paths")
class Paths(Section):
    """Every path between the two materials."""

    part, title = "search", "From one material to another"

    def available(self, study: Study, name: str) -> bool:
        """Whether two materials are named."""
        return study.search[name].interpolate is not None

    def required_tables(self, study: Study, name: str) -> list[str]:
        """Materials on the paths, and what was measured of the paths."""
        return [f"search/{name}/interpolation.parquet", f"search/{name}/interpolation.measures.parquet"]

    def numbers(self, source: Source, name: str) -> dict[str, Any]:
        """Measures of each path, and the worst value of the first target by the model and every judge."""
        labels = source.problem_labels(name)
        points = source.table(f"search/{name}/interpolation.parquet")
        measures = source.table(f"search/{name}/interpolation.measures.parquet")
        return describe_paths(points, measures, labels)


def worst_values(points: pd.DataFrame, labels: DesignLabels) -> dict[tuple[str, str], float]:
    """The worst value of the first target along each path, by path and judge; the searched model first.

    Args:
        points: Materials on the paths.
        labels: Names and units.
    """
    from nestmat.search.candidate_table import MODEL, CandidateTable

    target = labels.problem_config.targets[0]
    judges = [MODEL, *order_judges(CandidateTable(points).judges_of(target.quantity))]
    extreme = "max" if target.goal == "minimise" else "min"
    return {
        (str(path), name): float(CandidateTable(rows).mean(target.quantity, name).agg(extreme))
        for path, rows in points.groupby("path", sort=False)
        for name in judges
    }


def describe_paths(points: pd.DataFrame, measures: pd.DataFrame, labels: DesignLabels) -> dict[str, Any]:
    """Measures of each path, and the worst value of the first target by the model and every judge.

    Args:
        points: Materials on the paths.
        measures: How straight the paths are, and how much of them is allowed.
        labels: Names and units.
    """
    problem, worst = labels.problem_config, worst_values(points, labels)
    assert problem.interpolate is not None
    target, judges = problem.targets[0], list(dict.fromkeys(name for _, name in worst))
    of_path = measures[measures["quantity"] == ""].set_index(["path", "measure"])["value"]
    return {
        "start": problem.interpolate.between[0],
        "end": problem.interpolate.between[1],
        "worst_is_highest": target.goal == "minimise",
        "quantity": labels.name(target.quantity),
        "unit": labels.unit(target.quantity),
        "judges": [judge_name(name) for name in judges],
        "paths": [
            {
                "label": title,
                "largest_step": of_path[path, "largest_step"],
                "end_error": of_path[path, "end_error"],
                "allowed": of_path[path, "allowed"],
                "worst": [worst[path, name] for name in judges],
            }
            for path, title in PATHS.items()
            if (path, judges[0]) in worst
        ],
    }
