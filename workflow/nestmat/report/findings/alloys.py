"""What a design problem of alloys found: which method does what, in sentences with numbers."""

from __future__ import annotations

import pandas as pd

from nestmat.config.problems import Method
from nestmat.design.metrics import ALL, MODEL, PURE, SUBSTANTIAL
from nestmat.labels.numbers import format_percent, format_quantity, format_rate, format_significant
from nestmat.labels.problems import BASELINES, DesignLabels
from nestmat.report.findings.design import chosen, numbers, rates
from nestmat.search.methods.decode import Decode
from nestmat.search.methods.inversion import Inversion

HALF = 0.5
"""Share of candidates in the domain of the training data below which a method is said to leave it."""


def verdict(labels: DesignLabels) -> str:
    """What a hit by all judges is: the class that they say, or just that."""
    target = labels.problem_config.targets[0]
    classes = labels.classes(target.quantity)
    one = len(labels.problem_config.targets) == 1 and not labels.problem_config.constraints
    if classes and one and target.enough == HALF:
        return f"judged {classes[target.goal == 'maximise']}"
    return "hits by all judges"


def of_kind(labels: DesignLabels, kind: str) -> list[str]:
    """Methods of a kind, in the order of the configuration."""
    return [name for name, entry in labels.problem_config.methods.items() if entry.kind == kind]


def atoms(share: float) -> str:
    """A share of atoms in atomic percent."""
    return format_quantity(round(100 * share, 0 if share >= 0.1 else 1), "at%")


def composition(metrics: pd.DataFrame, labels: DesignLabels) -> str:
    """How many elements the candidates have that are spoken of."""
    method = chosen(metrics, labels)
    several, pure = (rates(metrics, MODEL, name) for name in ("five_elements", "pure"))
    if method is None or method not in several:
        return ""
    count = numbers(metrics, "elements")[method]
    text = (
        f"{labels.method(method)}: {format_significant(count, 2)} elements on average; {format_rate(several[method])} of its "  # noqa: E501
        f"candidates have five or more of at least {atoms(SUBSTANTIAL)} each"
    )
    return f"{text}; {format_rate(pure[method])} are nearly pure." if pure[method][0] > 0 else f"{text}."


def astray(metrics: pd.DataFrame, labels: DesignLabels) -> str:
    """Which methods leave the domain of the training data, and what becomes of their promises."""
    inside, said, found = rates(metrics, MODEL, "in_domain"), rates(metrics, MODEL), rates(metrics)
    away = [name for name in found if name not in BASELINES and inside[name][2] < HALF]
    stay = [name for name in found if name not in BASELINES and inside[name][1] > HALF]
    if not away:
        return ""
    told = [
        f"{labels.method(name)} ({format_rate(inside[name])} in the domain; the searched model calls "
        f"{format_percent(said[name][0])} hits, {format_rate(found[name])} are {verdict(labels)})"
        for name in away
    ]
    text = f"Leave the domain of the training data: {'; '.join(told)}."
    if stay:
        low, high = min(found[name][0] for name in stay), max(found[name][0] for name in stay)
        span = format_percent(low) if low == high else f"{100 * low:.0f} to {format_percent(high)}"
        text += f" Of the candidates of the methods that stay, {span} are {verdict(labels)}."
    return text


def filters(entry: Method) -> str:
    """What a decoded draw has to meet to be kept, in words; empty where all are kept."""
    options = {"near": Decode().near, "accept": Decode().accept, **entry.options}
    parts = []
    if options["near"] is not None:
        parts.append(f"the rules of the space change at most {atoms(options['near'])} of the alloy")
    if options["accept"] is not None:
        parts.append(f"the searched model says {format_quantity(options['accept'])} or better")
    return " and ".join(parts)


def decoded(metrics: pd.DataFrame, labels: DesignLabels) -> str:
    """What decoding the prior gives, with and without filters."""
    found, kept, gain = rates(metrics), rates(metrics, MODEL, "kept"), rates(metrics, ALL, "yield")
    told = []
    for name in (name for name in of_kind(labels, "decode") if name in found and name in gain):
        condition = filters(labels.problem_config.methods[name])
        text = f"{labels.method(name)}: {format_rate(found[name])} of its candidates are {verdict(labels)}"
        if condition:
            text += f"; kept are {format_rate(kept[name])} of the draws, where {condition}"
        told.append(text)
    return "; ".join(told) + "." if told else ""


def inverted(metrics: pd.DataFrame, labels: DesignLabels) -> str:
    """How many known alloys an inversion takes to what is wanted, how far, and what the judges say."""
    reached, found = rates(metrics, MODEL, "reached"), rates(metrics)
    moved, steps = (numbers(metrics, name) for name in ("moved", "steps"))
    told = []
    for name in (name for name in of_kind(labels, "inversion") if name in moved):
        given = {"accept": Inversion().accept, "within": None, **labels.problem_config.methods[name].options}
        asked = f"{format_quantity(given['accept'])} asked"
        if given["within"] is not None:
            asked += f", at most {atoms(given['within'])} away"
        told.append(
            f"by {labels.method(name)} {format_rate(reached[name])} ({asked}; {atoms(moved[name])} moved in "
            f"{format_significant(steps[name], 2)} steps on average; {format_rate(found[name])} of the distinct results are "  # noqa: E501
            f"{verdict(labels)})"
        )
    if not told:
        return ""
    nearest = min((name for name in of_kind(labels, "inversion") if name in moved), key=moved.__getitem__)
    text = (
        f"Known alloys on the wrong side, by the searched model, are taken to the other: {'; '.join(told)}."
    )
    if len(told) > 1:
        text += f" {labels.method(nearest)} stays nearest to what is known."
    return text


def alloys(metrics: pd.DataFrame, labels: DesignLabels) -> list[tuple[str, str]]:
    """Titles and sentences on a problem of alloys."""
    return [
        ("Alloys", composition(metrics, labels)),
        ("Domain", astray(metrics, labels)),
        ("Decoding", decoded(metrics, labels)),
        ("Inversion", inverted(metrics, labels)),
    ]


def excluded(labels: DesignLabels) -> str:
    """That the rules of the space exclude nearly pure alloys; empty where they do not."""
    shares = labels.problem_config.space.elements
    assert shares is not None
    most = min(shares.greatest, 1 - (shares.fewest - 1) * shares.least)
    return "" if most > PURE else f"The space has none: no element is of more than {atoms(most)}."
