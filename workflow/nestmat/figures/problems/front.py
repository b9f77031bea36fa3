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
    """Quantity beside the first target: a second target, or else the first bounded one that a scale predicts.

    None where the problem has neither that nor any other bound.
    """
    given = study.search[problem]
    bounded = [bound.quantity for bound in given.constraints if bound.of == "mean"]
    predicted = [quantity for quantity in bounded if quantity.partition(".")[0] in study.scales]
    others = [*(wanted.quantity for wanted in given.targets[1:]), *predicted, *bounded]
    return next((quantity for quantity in others if quantity != given.targets[0].quantity), None)


def available(study: Study, problem: str) -> bool:
    """Whether the problem has methods and a second quantity."""
    return designs.compared(study, problem) and across(study, problem) is not None


def needs(study: Study, problem: str) -> kind.Needs:
    """Judged candidates and, where there is one, the shortlist."""
    found = {"judged": [f"search/{problem}/judged.parquet"]}
    if study.search[problem].shortlist:
        found["shortlist"] = [f"search/{problem}/shortlist.parquet"]
    return found


def draw(frames: Mapping[str, pd.DataFrame], labels: DesignLabels) -> Figure:
    """Candidates by method, what is wanted shaded, the shortlist, and the Pareto front of two targets.

    Args:
        frames: ``judged``, and ``shortlist`` where the problem has one.
        labels: Names and units.
    """
    found = frames["judged"]
    x, y = across(labels.study, labels.problem), labels.problem_config.targets[0].quantity
    assert x is not None
    figure, axes = style.panels(1, 1, height=4.2)
    ax, looks = axes[0, 0], method_looks(labels)
    methods = labels.methods(found["method"])
    for place, method in enumerate(methods):
        mine = found[found["method"] == method]
        look = {**designs.points(method, place / len(methods)), **looks[method]}
        ax.plot(mine[f"{x}.mean"], mine[f"{y}.mean"], label=labels.method(method), **look)
    shortlist = frames.get("shortlist")
    _limits(ax, found[~found["method"].isin(list(BASELINES))], shortlist, labels, x, y)
    _wanted(ax, labels, x, y)
    _limit(ax, labels, x, y)
    if shortlist is not None:
        _shortlist(ax, shortlist, x, y)
    if x in [wanted.quantity for wanted in labels.problem_config.targets]:
        _front(ax, found[found["hit"]], labels, x, y)
    ax.set_xlabel(labels.axis(x, "Predicted"))
    ax.set_ylabel(labels.axis(y, "Predicted"))
    style.legend_below(figure, [ax])
    return figure


def _limits(
    ax: Axes, rows: pd.DataFrame, shortlist: pd.DataFrame | None, labels: DesignLabels, x: str, y: str
) -> None:
    """Axes that show what the methods propose and what is wanted; the baselines reach far beyond."""
    for quantity, put in ((x, ax.set_xlim), (y, ax.set_ylim)):
        values = [rows[f"{quantity}.mean"].to_numpy()]
        if shortlist is not None:
            mean, std = (shortlist[f"{quantity}.{what}"].to_numpy() for what in ("mean", "std"))
            values += [mean - np.nan_to_num(std), mean + np.nan_to_num(std)]
        ends = np.concatenate([*values, _ends(labels, quantity)])
        low, high = ends.min(), ends.max()
        room = 0.12 * (high - low or 1.0)
        put(low - room, high + room)


def _ranges(labels: DesignLabels, quantity: str) -> list[tuple[float, float]]:
    """Ranges that a quantity should be in, infinite where it is open."""
    parts: list[Target | Constraint] = [*labels.problem_config.targets, *labels.problem_config.constraints]
    found = []
    for part in parts:
        if part.quantity != quantity:
            continue
        low, high = -np.inf, np.inf
        if isinstance(part, Constraint):
            if part.of == "std":
                continue
            low, high = (
                -np.inf if part.low is None else part.low,
                np.inf if part.high is None else part.high,
            )
        elif part.between:
            low, high = part.between
        elif part.value is not None:
            low, high = part.value - part.tolerance, part.value + part.tolerance
        elif part.enough is not None:
            low, high = (part.enough, np.inf) if part.goal == "maximise" else (-np.inf, part.enough)
        found.append((low, high))
    return found


def _ends(labels: DesignLabels, quantity: str) -> np.ndarray:
    ends = np.array([end for part in _ranges(labels, quantity) for end in part])
    return ends[np.isfinite(ends)]


def _wanted(ax: Axes, labels: DesignLabels, x: str, y: str) -> None:
    """Shade where a quantity is not as it is wanted."""
    for quantity, shade, limits in ((x, ax.axvspan, ax.get_xlim()), (y, ax.axhspan, ax.get_ylim())):
        for low, high in _ranges(labels, quantity):
            for start, end in ((limits[0], low), (high, limits[1])):
                if start < end and np.isfinite([start, end]).all():
                    shade(start, end, color=style.GREY, alpha=0.14, linewidth=0, zorder=0)


def _limit(ax: Axes, labels: DesignLabels, x: str, y: str) -> None:
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


def _shortlist(ax: Axes, rows: pd.DataFrame, x: str, y: str) -> None:
    ax.errorbar(
        rows[f"{x}.mean"],
        rows[f"{y}.mean"],
        xerr=np.nan_to_num(rows[f"{x}.std"]),
        yerr=np.nan_to_num(rows[f"{y}.std"]),
        fmt="D",
        color=style.INK,
        markersize=4,
        elinewidth=0.9,
        zorder=6,
        label="shortlist, ± 1 σ",
    )
    taken: list[np.ndarray] = []
    for row in rows.to_dict("records"):
        at = (row[f"{x}.mean"], row[f"{y}.mean"])
        place = ax.transAxes.inverted().transform(ax.transData.transform(at))
        if len(taken) < NUMBERED and all(np.abs(place - other).max() > APART for other in taken):
            taken.append(place)
            ground = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.5}
            ax.annotate(
                str(row["rank"]), at, (4, 5), textcoords="offset points", fontsize=7.5, zorder=7, bbox=ground
            )


def _front(ax: Axes, rows: pd.DataFrame, labels: DesignLabels, x: str, y: str) -> None:
    """Hits of which no other is better in both quantities."""
    both = [wanted for wanted in labels.problem_config.targets if wanted.quantity in (x, y)]
    away = np.column_stack([_away(rows, wanted) for wanted in both])
    worse = (away[:, None] >= away[None]).all(axis=2) & (away[:, None] > away[None]).any(axis=2)
    best = rows.loc[~np.any(worse, axis=1)].sort_values(by=f"{x}.mean")
    line: dict[str, Any] = {"color": style.INK, "marker": "v", "markersize": 4, "linewidth": 1, "zorder": 5}
    ax.plot(best[f"{x}.mean"], best[f"{y}.mean"], label="best in both", **line)


def _away(rows: pd.DataFrame, wanted: Target) -> np.ndarray:
    """How far candidates are from what is wanted of a quantity, (n,); less is better."""
    mean = rows[f"{wanted.quantity}.mean"].to_numpy()
    if wanted.value is not None:
        return np.abs(mean - wanted.value)
    if wanted.between:
        low, high = wanted.between
        return np.maximum(0, low - mean) + np.maximum(0, mean - high)
    return -mean if wanted.goal == "maximise" else mean


KIND = kind.Kind(
    title="Candidates of all methods",
    caption=(
        "Each point is a candidate as the searched members predict it; the shaded parts are not wanted. "
        "Diamonds are the shortlist as predicted by the members that were trained on every material, with "
        "one standard deviation, some with their rank. Where both axes are targets, a line joins the hits "
        "that none is better than in both. The axes show what the methods propose; baselines reach beyond."
    ),
    section="methods",
    draw=draw,
    needs=needs,
    available=available,
    subject="problem",
)
