"""What is said along the ways between two materials, in sentences with numbers."""

from __future__ import annotations

import pandas as pd

from nestmat.labels.numbers import format_value
from nestmat.labels.problems import PATHS, DesignLabels, judge, judges_of_means
from nestmat.labels.text import lower_first


def sayings(points: pd.DataFrame, labels: DesignLabels) -> dict[str, str]:
    """Column of the first target's mean by who says it: the searched model, then the judges."""
    quantity = labels.problem_config.targets[0].quantity
    found = {"model": f"{quantity}.mean"}
    return found | {name: f"{name}.{quantity}.mean" for name in judges_of_means(points.columns, quantity)}


def least(labels: DesignLabels) -> str:
    """The worst end of the first target: lowest, or highest where little is wanted."""
    return "highest" if labels.problem_config.targets[0].goal == "minimise" else "lowest"


def worst(points: pd.DataFrame, labels: DesignLabels) -> dict[tuple[str, str], float]:
    """The worst value of the first target along each way, by way and by who says it."""
    ways = points.groupby("path", sort=False)
    return {
        (str(path), name): float(part[column].max() if least(labels) == "highest" else part[column].min())
        for path, part in ways
        for name, column in sayings(points, labels).items()
    }


def between(points: pd.DataFrame, labels: DesignLabels) -> str:
    """The worst that the last judge says on each way from one material to the other."""
    given, target = labels.problem_config.interpolate, labels.problem_config.targets[0]
    assert given is not None
    *_, name = sayings(points, labels)
    found = worst(points, labels)
    told = [
        f"{format_value(found[path, name], labels.unit(target.quantity))} ({lower_first(PATHS[path])})"
        for path in PATHS
        if (path, name) in found
    ]
    return (
        f"From {given.between[0]} to {given.between[1]} the {least(labels)} "
        f"{lower_first(labels.name(target.quantity))} by the {judge(name)} is {', '.join(told)}."
    )
