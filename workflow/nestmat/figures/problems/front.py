"""Candidates of all methods in the plane of two quantities of a design problem."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nestmat.config.problems import Constraint, Target
from nestmat.config.study import Study
from nestmat.figures import kind, style
from nestmat.figures.problems import methods as designs
from nestmat.figures.problems.looks import method_looks
from nestmat.figures.registry import FIGURES
from nestmat.labels.problems import BASELINES, DesignLabels

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NUMBERED = 5
"""Most candidates of the shortlist that bear their rank."""
APART = 0.04
"""Least distance between two such, as a share of the axes."""


def across(study: Study, problem: str) -> str | None:
    """Quantity drawn against the first target: a second one, or else the first bounded one of a scale.

    None where the problem has neither that nor any other bound.
    """
    config = study.search[problem]
    bounded = [bound.quantity for bound in config.constraints if bound.of == "mean"]
    predicted = [quantity for quantity in bounded if quantity.partition(".")[0] in study.scales]
    candidates = [*(target.quantity for target in config.targets[1:]), *predicted, *bounded]
    return next((quantity for quantity in candidates if quantity != config.targets[0].quantity), None)


def available(study: Study, problem: str) -> bool:
    """Whether the problem has methods and a second quantity."""
    return designs.compared(study, problem) and across(study, problem) is not None


def required_tables(study: Study, problem: str) -> kind.TablePaths:
    """Judged candidates and, where there is one, the shortlist."""
    tables = {"judged": [f"search/{problem}/judged.parquet"]}
    if study.search[problem].shortlist:
        tables["shortlist"] = [f"search/{problem}/shortlist.parquet"]
    return tables


def draw(frames: Mapping[str, pd.DataFrame], labels: DesignLabels) -> Figure:
    """Candidates by method, the excluded values shaded, the shortlist, and the Pareto front of two targets.

    Args:
        frames: ``judged``, and ``shortlist`` where the problem has one.
        labels: Names and units.
    """
    judged = frames["judged"]
    x, y = across(labels.study, labels.problem), labels.problem_config.targets[0].quantity
    assert x is not None
    figure, axes = style.panels(1, 1, height=4.2)
    ax, looks = axes[0, 0], method_looks(labels)
    methods = labels.methods(judged["method"])
    for place, method in enumerate(methods):
        candidates = judged[judged["method"] == method]
        look = {**designs.points(method, place / len(methods)), **looks[method]}
        ax.plot(*_means(candidates, x, y), label=labels.method(method), **look)
    shortlist = frames.get("shortlist")
    _set_limits(ax, judged[~judged["method"].isin(list(BASELINES))], shortlist, labels, x, y)
    _shade_unwanted(ax, labels, x, y)
    _draw_limit(ax, labels, x, y)
    if shortlist is not None:
        _draw_shortlist(ax, shortlist, x, y)
    if x in [target.quantity for target in labels.problem_config.targets]:
        _draw_front(ax, judged[judged["hit"]], labels, x, y)
    ax.set_xlabel(labels.axis(x, "Predicted"))
    ax.set_ylabel(labels.axis(y, "Predicted"))
    style.legend_below(figure, [ax])
    return figure


def _set_limits(
    ax: Axes, rows: pd.DataFrame, shortlist: pd.DataFrame | None, labels: DesignLabels, x: str, y: str
) -> None:
    """Axes that show the proposals of the methods and the targets; the baselines reach far beyond."""
    from nestmat.search.candidate_table import CandidateTable

    for quantity, set_limits in ((x, ax.set_xlim), (y, ax.set_ylim)):
        values = [CandidateTable(rows).mean(quantity).to_numpy()]
        if shortlist is not None:
            table = CandidateTable(shortlist)
            mean, std = table.mean(quantity).to_numpy(), table.std(quantity).to_numpy()
            values += [mean - np.nan_to_num(std), mean + np.nan_to_num(std)]
        ends = np.concatenate([*values, _ends(labels, quantity)])
        low, high = ends.min(), ends.max()
        room = 0.12 * (high - low or 1.0)
        set_limits(low - room, high + room)


def _ranges(labels: DesignLabels, quantity: str) -> list[tuple[float, float]]:
    """Ranges that a quantity should be in, infinite where it is open."""
    demands: list[Target | Constraint] = [*labels.problem_config.targets, *labels.problem_config.constraints]
    ranges = []
    for demand in demands:
        if demand.quantity != quantity:
            continue
        low, high = -np.inf, np.inf
        if isinstance(demand, Constraint):
            if demand.of == "std":
                continue
            low, high = (
                -np.inf if demand.low is None else demand.low,
                np.inf if demand.high is None else demand.high,
            )
        elif demand.between:
            low, high = demand.between
        elif demand.value is not None:
            low, high = demand.value - demand.tolerance, demand.value + demand.tolerance
        elif demand.enough is not None:
            low, high = (demand.enough, np.inf) if demand.goal == "maximise" else (-np.inf, demand.enough)
        ranges.append((low, high))
    return ranges


def _ends(labels: DesignLabels, quantity: str) -> np.ndarray:
    ends = np.array([end for limits in _ranges(labels, quantity) for end in limits])
    return ends[np.isfinite(ends)]


def _shade_unwanted(ax: Axes, labels: DesignLabels, x: str, y: str) -> None:
    """Shade where a quantity misses its target or constraint."""
    for quantity, shade, limits in ((x, ax.axvspan, ax.get_xlim()), (y, ax.axhspan, ax.get_ylim())):
        for low, high in _ranges(labels, quantity):
            for start, end in ((limits[0], low), (high, limits[1])):
                if start < end and np.isfinite([start, end]).all():
                    shade(start, end, color=style.GREY, alpha=0.14, linewidth=0, zorder=0)


def _draw_limit(ax: Axes, labels: DesignLabels, x: str, y: str) -> None:
    """The limit of detailed balance, where one axis is the gap and the other an efficiency."""
    gaps = [quantity.detailed_balance for quantity in labels.problem_config.quantities.values()]
    if x not in gaps or labels.unit(y) != "%":
        return
    from nestmat.physics.detailed_balance import limit

    low, high = ax.get_xlim()
    gap = np.linspace(max(low, 0.31), high, 200)
    pce = limit(gap).pce
    ax.plot(gap, pce, color=style.INK, linewidth=1, linestyle=":", label="detailed-balance limit")
    bottom, top = ax.get_ylim()
    ax.set_ylim(bottom, max(top, float(pce.max()) + 0.05 * (top - bottom)))


def _draw_shortlist(ax: Axes, rows: pd.DataFrame, x: str, y: str) -> None:
    from nestmat.search.candidate_table import CandidateTable, mean_column

    table = CandidateTable(rows)
    ax.errorbar(
        *_means(rows, x, y),
        xerr=np.nan_to_num(table.std(x)),
        yerr=np.nan_to_num(table.std(y)),
        fmt="D",
        color=style.INK,
        markersize=4,
        elinewidth=0.9,
        zorder=6,
        label="shortlist, ± 1 σ",
    )
    numbered: list[np.ndarray] = []
    for row in rows.to_dict("records"):
        point = (row[mean_column(x)], row[mean_column(y)])
        place = ax.transAxes.inverted().transform(ax.transData.transform(point))
        if len(numbered) < NUMBERED and all(np.abs(place - previous).max() > APART for previous in numbered):
            numbered.append(place)
            box = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.5}
            ax.annotate(
                str(row["rank"]), point, (4, 5), textcoords="offset points", fontsize=7.5, zorder=7, bbox=box
            )


def _draw_front(ax: Axes, rows: pd.DataFrame, labels: DesignLabels, x: str, y: str) -> None:
    """Hits of which no other is better in both quantities."""
    from nestmat.search.candidate_table import mean_column

    targets = [target for target in labels.problem_config.targets if target.quantity in (x, y)]
    distances = np.column_stack([_distance_to_target(rows, target) for target in targets])
    worse = (distances[:, None] >= distances[None]).all(axis=2) & (distances[:, None] > distances[None]).any(
        axis=2
    )
    best = rows.loc[~np.any(worse, axis=1)].sort_values(by=mean_column(x))
    line: dict[str, Any] = {"color": style.INK, "marker": "v", "markersize": 4, "linewidth": 1, "zorder": 5}
    ax.plot(*_means(best, x, y), label="best in both", **line)


def _means(rows: pd.DataFrame, x: str, y: str) -> tuple[pd.Series, pd.Series]:
    """Means of two quantities by the searched model."""
    from nestmat.search.candidate_table import CandidateTable

    table = CandidateTable(rows)
    return table.mean(x), table.mean(y)


def _distance_to_target(rows: pd.DataFrame, target: Target) -> np.ndarray:
    """Distance of candidates from the target of a quantity, (n,); less is better."""
    from nestmat.search.candidate_table import CandidateTable

    mean = CandidateTable(rows).mean(target.quantity).to_numpy()
    if target.value is not None:
        return np.abs(mean - target.value)
    if target.between:
        low, high = target.between
        return np.maximum(0, low - mean) + np.maximum(0, mean - high)
    return -mean if target.goal == "maximise" else mean


FIGURES.register("front")(
    kind.FigureKind(
        title="Candidates of all methods",
        caption=(
            "Each point is a candidate as the searched members predict it; the shaded parts are not wanted. "
            "Diamonds are the shortlist as predicted by the members that were trained on every material, "
            "with one standard deviation, some with their rank. Where both axes are targets, a line joins "
            "the hits that none is better than in both. The axes show what the methods propose; baselines "
            "reach beyond."
        ),
        section="methods",
        draw=draw,
        required_tables=required_tables,
        available=available,
        subject="problem",
    )
)
