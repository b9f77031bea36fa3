"""Tables of the report for a design problem of alloys."""

from __future__ import annotations

import pandas as pd

from nestmat.design.metrics import ALL, MODEL, NEW, PURE, SUBSTANTIAL
from nestmat.labels.numbers import format_count, format_quantity, format_rate, format_significant
from nestmat.labels.problems import DesignLabels
from nestmat.labels.text import prettify
from nestmat.report.findings import alloys as findings_alloys
from nestmat.report.findings import design as findings
from nestmat.report.tables import Table, rows_of, table
from nestmat.search.methods.conditional_decoder import ROUNDED
from nestmat.search.methods.decode import Decode
from nestmat.search.methods.inversion import Inversion


def tables(metrics: pd.DataFrame, labels: DesignLabels) -> list[Table]:
    """What the alloys of each method are, and how draws and inversions did where there are any."""
    found = [_alloys(metrics, labels)]
    if "kept" in set(metrics["metric"]):
        found.append(_draws(metrics, labels))
    if "reached" in set(metrics["metric"]):
        found.append(_inversions(metrics, labels))
    return found


def _alloys(metrics: pd.DataFrame, labels: DesignLabels) -> Table:
    hits = findings.rates(metrics)
    pure, several, inside = (findings.numbers(metrics, n) for n in ("pure", "five_elements", "in_domain"))
    unique, elements = (findings.numbers(metrics, name) for name in ("unique", "elements"))
    far = metrics[(metrics["seed"] == -1) & (metrics["metric"] == "novel") & (metrics["at"] == NEW)]
    new = findings.numbers(far, "novel")

    def cells(method: str) -> list[str]:
        return [
            format_rate(hits[method], unit=""),
            *(f"{100 * each[method]:.0f}" for each in (pure, several)),
            format_significant(elements[method], 2),
            *(f"{100 * each[method]:.0f}" for each in (unique, new, inside)),
        ]

    heads = [
        prettify(findings_alloys.verdict(labels)),
        "Nearly pure",
        "Five elements or more",
        "Elements, mean",
        "Distinct of proposed",
        "New",
        "In the domain",
    ]
    excluded, atoms = findings_alloys.excluded(labels), findings_alloys.atoms
    return table(
        "What the proposed alloys are (%)",
        "Method",
        heads,
        rows_of(labels.methods(metrics["method"]), labels, cells),
        f"Nearly pure: more than {atoms(PURE)} of one element. {excluded}{' ' * bool(excluded)}"
        f"Five or more: of at least {atoms(SUBSTANTIAL)} each. New: at least {atoms(NEW)} from every "
        "training material. In the domain: no less dense in training materials than nineteen of twenty of "
        "these are.",
    )


def _draws(metrics: pd.DataFrame, labels: DesignLabels) -> Table:
    inside, kept = (findings.rates(metrics, MODEL, name) for name in ("inside", "kept"))
    gain = findings.rates(metrics, ALL, "yield")

    def cells(method: str) -> list[str]:
        given = labels.problem_config.methods[method]
        draws = {"samples": Decode().samples, **given.options}["samples"]
        return [
            format_count(draws * (given.seeds or labels.problem_config.seeds)),
            *(format_rate(each[method], unit="") for each in (inside, kept, gain)),
        ]

    names = [name for name in findings_alloys.of_kind(labels, "decode") if name in kept]
    conditions = [
        f" {labels.method(name)} keeps those where {told}."
        for name in names
        if (told := findings_alloys.filters(labels.problem_config.methods[name]))
    ]
    return table(
        "What became of decoded draws of the prior (%)",
        "Method",
        ["Draws", "Inside the space", "Kept", "Yield"],
        rows_of(names, labels, cells),
        f"Inside: the rules of the space change {findings_alloys.atoms(ROUNDED)} of a draw or less; "
        f"whatever is kept is moved into the space. Yield: kept and {findings_alloys.verdict(labels)}."
        + "".join(conditions),
    )


def _inversions(metrics: pd.DataFrame, labels: DesignLabels) -> Table:
    reached, found = findings.rates(metrics, MODEL, "reached"), findings.rates(metrics)
    moved, steps = (findings.numbers(metrics, name) for name in ("moved", "steps"))

    def cells(method: str) -> list[str]:
        given = {
            "accept": Inversion().accept,
            "within": None,
            **labels.problem_config.methods[method].options,
        }
        return [
            format_quantity(given["accept"]),
            "any" if given["within"] is None else format_significant(100 * given["within"], 2),
            format_rate(reached[method], unit=""),
            format_significant(100 * moved[method], 3) if method in moved else "–",
            format_significant(steps[method], 3) if method in steps else "–",
            format_rate(found[method], unit=""),
        ]

    return table(
        "How known alloys are inverted",
        "Method",
        [
            "Asked",
            "May move (at%)",
            "Reached (%)",
            "Moved (at%)",
            "Steps",
            f"{prettify(findings_alloys.verdict(labels))} (%)",
        ],
        rows_of(
            [name for name in findings_alloys.of_kind(labels, "inversion") if name in reached], labels, cells
        ),
        "Starts are training materials of the searched model that it puts on the wrong side of what is "
        "asked. Reached: by the searched model itself. Moved: share of the atoms that differ in the end, and "
        "steps: times decoded, means over what is reached. The last column is of the distinct alloys.",
    )
