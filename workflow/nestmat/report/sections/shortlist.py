"""The list of candidates to go on with, and the files that hold it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nestmat.config.study import Study
from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section

if TYPE_CHECKING:
    import pandas as pd

    from nestmat.labels.problems import DesignLabels
    from nestmat.report.source import Source

FILES = ("candidates.csv", "candidates.jsonl")
"""Files of the shortlist that the report links to."""
FIDELITY = "deployed.predictor.parquet"
"""How well the network that was searched stands for the recommended predictors, where there is one."""
LISTED = 30
"""Candidates of the shortlist that the report prints; the files have all."""


@SECTIONS.register("shortlist")
class ShortlistSection(Section):
    """Candidates with what is predicted of them."""

    part, title = "search", "Candidates to go on with"

    def available(self, study: Study, name: str) -> bool:
        """Whether the problem has a shortlist."""
        return study.search[name].shortlist is not None

    def required_tables(self, study: Study, name: str) -> list[str]:
        """The shortlist, as a table and as files to go on with, and how it was predicted."""
        files = [*("shortlist.parquet", *FILES), *[FIDELITY] * study.searches_recommended(name)]
        return [f"search/{name}/{file}" for file in files]

    def numbers(self, source: Source, name: str) -> dict[str, Any]:
        """The candidates, and the first without a warning."""
        labels, rows = source.problem_labels(name), source.table(f"search/{name}/shortlist.parquet")
        for file in FILES:
            source.path(f"search/{name}/{file}")
        return {
            "leading": leading_candidate(rows, labels),
            "has_cells": labels.problem_config.space.sites is not None,
            "fidelity": fidelity_rows(source.table(f"search/{name}/{FIDELITY}"), labels)
            if source.study.searches_recommended(name)
            else [],
            **shortlist_table(rows, labels),
        }


def fidelity_rows(fidelity: pd.DataFrame, labels: DesignLabels) -> list[dict[str, Any]]:
    """Name, unit, error and stated standard deviation of each quantity that a network stands for.

    Args:
        fidelity: `nestmat.design.recommended.FIDELITY`.
        labels: Names and units.
    """
    return [
        {"name": labels.name(row["quantity"]), **{key: row[key] for key in ("unit", "error", "std")}}
        for row in fidelity.to_dict("records")
    ]


def target_quantities(labels: DesignLabels) -> list[str]:
    """Quantities with a target or a constraint, each once."""
    problem = labels.problem_config
    quantities = [target.quantity for target in problem.targets]
    quantities += [constraint.quantity for constraint in problem.constraints]
    return list(dict.fromkeys(quantities))


def leading_candidate(shortlist: pd.DataFrame, labels: DesignLabels) -> dict[str, Any]:
    """The first candidate without a warning, or else the first, with what is predicted of it.

    Args:
        shortlist: The shortlist, best first.
        labels: Names and units.
    """
    clear = shortlist[shortlist["flags"] == ""]
    rows = clear if len(clear) else shortlist
    first = rows.iloc[:1]
    return {
        "formula": str(first["formula"].iloc[0]),
        "rank": int(first["rank"].iloc[0]),
        "without_warning": bool(len(clear)),
        "predictions": [
            {"name": labels.name(quantity), "unit": labels.unit(quantity), "moments": moments[0]}
            for quantity in target_quantities(labels)
            for moments in [_moments(first, quantity)]
        ],
        "warnings": len(shortlist) - len(clear),
        "count": len(shortlist),
    }


def _moments(rows: pd.DataFrame, quantity: str) -> list[tuple[float, float]]:
    """Mean and standard deviation of a quantity that the searched model predicts of each candidate."""
    from nestmat.search.candidate_table import CandidateTable

    table = CandidateTable(rows)
    return list(zip(table.mean(quantity), table.std(quantity), strict=True))


def shortlist_table(shortlist: pd.DataFrame, labels: DesignLabels) -> dict[str, Any]:
    """The first candidates: free variables, predictions, distance to the training data and warnings.

    Args:
        shortlist: The shortlist, best first.
        labels: Names and units.
    """
    problem, rows = labels.problem_config, shortlist.head(LISTED)
    free = {name: config for name, config in problem.space.variables.items() if config.value is None}
    limits = [name for name, quantity in problem.quantities.items() if quantity.detailed_balance]
    quantities = list(dict.fromkeys([*target_quantities(labels), *limits]))
    predictions = [_moments(rows, quantity) for quantity in quantities]
    records = rows.to_dict("records")
    return {
        "method": labels.method(shortlist["method"].iloc[0]),
        "heads": [(labels.axis(name), bool(config.levels)) for name, config in free.items()]
        + [(labels.axis(quantity), False) for quantity in quantities],
        "rows": [
            {
                **{key: row[key] for key in ("rank", "formula", "novelty", "flags")},
                "levels": [
                    _chosen_level(row, name, config.levels) if config.levels else row[name]
                    for name, config in free.items()
                ],
                "predictions": [of_quantity[place] for of_quantity in predictions],
            }
            for place, row in enumerate(records)
        ],
    }


def _chosen_level(row: dict[Any, Any], variable: str, levels: list[str]) -> str:
    from nestmat.search.spaces.factors import Choice

    columns = Choice(variable, tuple(levels)).columns
    return next(level for level, column in zip(levels, columns, strict=True) if row[column] == 1)
