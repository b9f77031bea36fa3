"""What the methods of a problem of alloys propose: elements, domain, decoded draws and inversions."""

from __future__ import annotations

from typing import Any

from nestmat.design.metrics import ALL, MODEL, NEW, PURE, SUBSTANTIAL
from nestmat.labels.problems import BASELINES, DesignLabels
from nestmat.report.findings.method_metrics import MethodMetrics, method_kinds, method_options
from nestmat.search.methods.conditional_decoder import ROUNDED

DECISION_THRESHOLD = 0.5
"""Probability from which on a class is named, and share of candidates out of the domain that is too many."""


def hit_class(labels: DesignLabels) -> str | None:
    """Name of the class that a hit is judged to have; None where a hit is more than a class."""
    problem = labels.problem_config
    target = problem.targets[0]
    classes = labels.classes(target.quantity)
    only_target = len(problem.targets) == 1 and not problem.constraints
    if classes and only_target and target.enough == DECISION_THRESHOLD:
        return classes[target.goal == "maximise"]
    return None


def limits(labels: DesignLabels) -> dict[str, Any]:
    """Shares of atoms from which on alloys are nearly pure, new, and so on; and the largest of the space.

    Returns:
        ``largest`` is None where the space has nearly pure alloys.
    """
    shares = labels.problem_config.space.elements
    assert shares is not None
    largest = min(shares.greatest, 1 - (shares.fewest - 1) * shares.least)
    return {
        "pure": PURE,
        "substantial": SUBSTANTIAL,
        "new": NEW,
        "rounded": ROUNDED,
        "largest": None if largest > PURE else largest,
    }


def leading_composition(metrics: MethodMetrics) -> dict[str, Any] | None:
    """How many elements the candidates of the leading method have."""
    method, several = metrics.leading_method(), metrics.rates("five_elements", MODEL)
    if method is None or method not in several:
        return None
    return {
        "label": metrics.labels.method(method),
        "elements": metrics.values("elements")[method],
        "five_elements": several[method],
        "pure": metrics.rates("pure", MODEL)[method],
    }


def out_of_domain(metrics: MethodMetrics) -> dict[str, Any] | None:
    """Methods that leave the domain of the training data, and the hit rates of the others.

    Returns:
        None where every method stays.
    """
    inside, rates = metrics.rates("in_domain", MODEL), metrics.rates()
    methods = [name for name in rates if name not in BASELINES]
    leaving = [name for name in methods if inside[name][2] < DECISION_THRESHOLD]
    staying = [rates[name][0] for name in methods if inside[name][1] > DECISION_THRESHOLD]
    promised = metrics.rates(judge=MODEL)
    if not leaving:
        return None
    return {
        "leaving": [
            {
                "label": metrics.labels.method(name),
                "in_domain": inside[name],
                "promised": promised[name][0],
                "hits": rates[name],
            }
            for name in leaving
        ],
        "staying": (min(staying), max(staying)) if staying else None,
    }


def alloy_table(metrics: MethodMetrics) -> list[dict[str, Any]]:
    """Hits, elements, novelty and domain of the candidates: a row a method."""
    hits = metrics.rates()
    names = ("pure", "five_elements", "elements", "unique", "in_domain")
    values = {name: metrics.values(name) for name in names} | {"new": metrics.share_new()}
    return [
        {
            **metrics.row(method),
            "hits": hits[method],
            **{name: by_method[method] for name, by_method in values.items()},
        }
        for method in metrics.methods
    ]


def decoded_draws(metrics: MethodMetrics) -> list[dict[str, Any]]:
    """What became of the draws of every method that decodes the prior."""
    labels, kinds = metrics.labels, method_kinds(metrics.labels)
    hits, yields = metrics.rates(), metrics.rates("yield", ALL)
    inside, accepted = metrics.rates("inside", MODEL), metrics.rates("kept", MODEL)
    rows = []
    for name in (name for name in kinds if kinds[name].decodes_prior and name in accepted):
        config, options = labels.problem_config.methods[name], method_options(labels, name)
        rows.append(
            {
                "label": labels.method(name),
                "draws": options["samples"] * (config.seeds or labels.problem_config.seeds),
                "near": options["near"],
                "accept": options["accept"],
                "hits": hits.get(name),
                "inside": inside[name],
                "kept": accepted[name],
                "yield": yields[name],
            }
        )
    return rows


def inversions(metrics: MethodMetrics) -> list[dict[str, Any]]:
    """How many known alloys every inversion moves to the targets, how far, and how the judges rate them.

    ``moved`` and ``steps`` are None where none was reached.
    """
    labels, kinds = metrics.labels, method_kinds(metrics.labels)
    reached, hits = metrics.rates("reached", MODEL), metrics.rates()
    moved, steps = metrics.values("moved"), metrics.values("steps")
    rows = []
    for name in (name for name in kinds if name in reached):
        options = method_options(labels, name)
        rows.append(
            {
                "label": labels.method(name),
                "accept": options["accept"],
                "within": options["within"],
                "reached": reached[name],
                "moved": moved.get(name),
                "steps": steps.get(name),
                "hits": hits[name],
            }
        )
    return rows
