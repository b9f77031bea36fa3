"""How the methods of a design problem compare: hits by each judge, promises kept, and novelty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nestmat.config.study import Study
from nestmat.figures import kind, style
from nestmat.figures.problems.looks import method_looks
from nestmat.figures.registry import FIGURES
from nestmat.labels.numbers import format_significant
from nestmat.labels.problems import BASELINES, DesignLabels, judge_name, order_judges
from nestmat.labels.text import prettify, with_unit

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OF_JUDGE: dict[str, dict[str, Any]] = {
    "model": {"color": style.GREY, "marker": "o", "markerfacecolor": "white"},
    "trees": {"color": style.GREEN, "marker": "s"},
    "gaussian_process": {"color": style.BLUE, "marker": "^"},
    "physics": {"color": style.VERMILLION, "marker": "D"},
    "all": {"color": style.INK, "marker": "o"},
}
"""Look of a judge's points; the searched model's own are hollow."""
WINDOW_LOOKS: tuple[dict[str, Any], ...] = (
    {"color": style.INK, "marker": "o"},
    {"color": style.SKY, "marker": "s"},
    {"color": style.ORANGE, "marker": "^"},
    {"color": style.PURPLE, "marker": "D"},
)
SHOWN = 300
"""Points drawn of the candidates of one method."""
BESIDE = 6
"""Methods up to which their names are written into the panel."""
ROW = 0.34
"""Height of a method's row in inches."""


def compared(study: Study, problem: str) -> bool:
    """Whether the problem has methods to compare."""
    return bool(study.search[problem].methods)


def of_compositions(study: Study, problem: str) -> bool:
    """Whether it also has compositions, which are near to those of the training data or far from them."""
    space = study.search[problem].space
    return compared(study, problem) and (space.sites is not None or space.elements is not None)


def measured(study: Study, problem: str) -> kind.TablePaths:
    """What was measured of the candidates of each method."""
    return {"metrics": [f"search/{problem}/metrics.parquet"]}


def judged(study: Study, problem: str) -> kind.TablePaths:
    """The candidates of each method, judged, and what was measured of them."""
    return {"judged": [f"search/{problem}/judged.parquet"], **measured(study, problem)}


def draw_methods(frames: Mapping[str, pd.DataFrame], labels: DesignLabels) -> Figure:
    """A row a method; left hits by each judge, right new ones in the domain by all of them.

    Args:
        frames: ``metrics``, distinct candidates over all seeds.
        labels: Names.
    """
    metrics = frames["metrics"]
    rates = metrics[metrics["metric"] == "hit"]
    methods = labels.methods(metrics["method"])
    figure, axes = style.panels(1, 2, height=1.2 + ROW * len(methods), sharey=True)
    judge_names = [name for name in OF_JUDGE if name in set(rates["judge"]) and name != "all"]
    for place, name in enumerate(judge_names):
        shift = 0.22 * (place - (len(judge_names) - 1) / 2)
        _rates(axes[0, 0], rates[rates["judge"] == name], methods, shift, judge_name(name), **OF_JUDGE[name])
    inside = metrics[(metrics["metric"] == "hit_new_in_domain") & (metrics["judge"] == "all")]
    _rates(axes[0, 1], inside, methods, 0, judge_name("all"), **OF_JUDGE["all"])
    count = metrics[metrics["metric"] == "candidates"].set_index("method")["value"]
    names = [f"{labels.method(name)} ({int(count[name])})" for name in methods]
    _rows(axes[0, 0], names, methods)
    for ax, title, label in (
        (axes[0, 0], "Hits", "Share of distinct candidates (%)"),
        (axes[0, 1], "New and in the domain", "Share of distinct candidates (%)"),
    ):
        ax.set_title(title)
        ax.set_xlabel(label)
        ax.set_xlim(left=-0.015 * ax.get_xlim()[1])
        _baseline_rule(ax, methods)
    style.legend_below(figure, list(axes.flat))
    return figure


def _rates(
    ax: Axes, rows: pd.DataFrame, methods: Sequence[str], shift: float, name: str, **look: Any
) -> None:
    """Shares with their intervals, in percent, each at the place of its method."""
    rows = rows.set_index("method").reindex(list(methods))[["value", "low", "high"]] * 100
    y = [len(methods) - 1 - k - shift for k in range(len(methods))]
    ends = [rows["value"] - rows["low"], rows["high"] - rows["value"]]
    ax.errorbar(rows["value"], y, xerr=ends, linestyle="none", elinewidth=1.1, capsize=2, label=name, **look)


def _rows(ax: Axes, names: Sequence[str], methods: Sequence[str]) -> None:
    ax.set_yticks(range(len(methods) - 1, -1, -1), names)
    ax.set_ylim(-0.6, len(methods) - 0.4)


def _baseline_rule(ax: Axes, methods: Sequence[str]) -> None:
    """A line between the methods and what they have to beat."""
    below = sum(name in BASELINES for name in methods)
    if 0 < below < len(methods):
        ax.axhline(below - 0.5, color=style.GREY, linewidth=0.7)
    ax.grid(axis="y", visible=False)


def draw_optimism(frames: Mapping[str, pd.DataFrame], labels: DesignLabels) -> Figure:
    """First target by the searched model against each judge, and the mean difference.

    Args:
        frames: ``judged``, and ``metrics`` of distinct candidates over all seeds.
        labels: Names and units.
    """
    from nestmat.search.candidate_table import CandidateTable

    rows, quantity = frames["judged"], labels.problem_config.targets[0].quantity
    gaps = frames["metrics"][frames["metrics"]["metric"] == f"optimism:{quantity}"]
    judge_names = order_judges(CandidateTable(rows).judges)
    figure, axes = style.panels(2, len(judge_names), height=2.6)
    for j, name in enumerate(judge_names):
        _draw_promises(axes[0, j], rows, labels, quantity, name)
        mean_gaps = gaps[gaps["judge"] == name].set_index("method")["value"]
        _gaps(axes[1, j], mean_gaps, labels.methods(rows["method"]), labels, named=j == 0)
        axes[1, j].set_xlabel(with_unit("Mean of searched model less judge", labels.unit(quantity)))
    axes[0, 0].set_ylabel(labels.axis(quantity, "Searched model:", characters=32))
    return figure


def _draw_promises(ax: Axes, rows: pd.DataFrame, labels: DesignLabels, quantity: str, name: str) -> None:
    """The searched model's value of each candidate against the judge's."""
    from nestmat.search.candidate_table import CandidateTable

    table = CandidateTable(rows)
    predicted, judged_values = table.mean(quantity), table.mean(quantity, name)
    methods, looks = labels.methods(rows["method"]), method_looks(labels)
    for place, method in enumerate(methods):
        rows_of_method = np.flatnonzero(rows["method"] == method)
        if len(rows_of_method) > SHOWN:
            rows_of_method = rows_of_method[np.linspace(0, len(rows_of_method) - 1, SHOWN).astype(int)]
        ax.plot(
            judged_values.iloc[rows_of_method],
            predicted.iloc[rows_of_method],
            **points(method, place / len(methods)),
            **looks[method],
        )
    ends = [min(predicted.min(), judged_values.min()), max(predicted.max(), judged_values.max())]
    ax.plot(ends, ends, color=style.INK, linewidth=0.8, zorder=0)
    ax.set_title(f"Judged by {judge_name(name)}")
    ax.set_xlabel(labels.axis(quantity, f"{prettify(judge_name(name))}:", characters=40))


def _gaps(ax: Axes, gaps: pd.Series, methods: Sequence[str], labels: DesignLabels, named: bool) -> None:
    """The mean difference of each method, in its colour, with its number."""
    looks = method_looks(labels)
    ax.axvline(0, color=style.INK, linewidth=0.8)
    for y, method in enumerate(reversed(methods)):
        gap = float(gaps[method])
        ax.plot(gap, y, **{**looks[method], "markersize": 5}, linestyle="none")
        side: dict[str, Any] = {"xytext": (6 if gap >= 0 else -6, 0), "ha": "left" if gap >= 0 else "right"}
        ax.annotate(
            format_significant(gap), (gap, y), **side, textcoords="offset points", va="center", fontsize=7
        )
    _rows(ax, [labels.method(method) for method in methods], methods)
    _baseline_rule(ax, methods)
    ax.tick_params(labelleft=named)
    ax.margins(x=0.25)


def points(method: str, place: float) -> dict[str, Any]:
    """How candidates of a method are drawn: as rings that shrink from method to method, as many coincide.

    Args:
        method: The method; baselines are small points behind.
        place: From 0 for the first method to 1.
    """
    if method in BASELINES:
        return {"linestyle": "none", "markersize": 3.5, "alpha": 0.5, "zorder": 1}
    ring = {"markerfacecolor": "none", "markeredgewidth": 0.9, "markersize": 7 - 4 * place}
    return {"linestyle": "none", **ring}


def draw_novelty(frames: Mapping[str, pd.DataFrame], labels: DesignLabels) -> Figure:
    """Left the share of candidates that are so far from the training data, right where they lie.

    Args:
        frames: ``metrics``, distinct candidates over all seeds.
        labels: Names.
    """
    from nestmat.design.metrics import NEW

    metrics = frames["metrics"]
    methods, looks = labels.methods(metrics["method"]), method_looks(labels)
    figure, axes = style.panels(1, 2, height=max(2.7, 1.2 + ROW * len(methods)))
    novelty_axes, domain_axes = axes[0]
    far = metrics[metrics["metric"] == "novel"].sort_values("at")
    for method in methods:
        shares = far[far["method"] == method]
        dashed = {"linestyle": "--"} if method in BASELINES else {}
        look = {"markersize": 3.5, "label": labels.method(method), **looks[method], **dashed}
        novelty_axes.plot(shares["at"], 100 * shares["value"], **look)
    novelty_axes.axvline(NEW, color=style.GREY, linewidth=0.8, linestyle=":")
    novelty_axes.set_title("New")
    novelty_axes.set_xlabel("Distance to the nearest training material\nat least so large (0 to 1)")
    novelty_axes.set_ylabel("Share of distinct candidates (%)")
    novelty_axes.set_ylim(0, 103)
    if len(methods) <= BESIDE:
        novelty_axes.legend(loc="lower left", fontsize=7, frameon=True, edgecolor="none", framealpha=0.8)
    windows = [name for name in dict.fromkeys(metrics["metric"]) if str(name).endswith("_window")]
    signs = dict(zip(["in_domain", *windows], WINDOW_LOOKS, strict=False))
    for place, (name, look) in enumerate(signs.items()):
        shift = 0.16 * (place - (len(signs) - 1) / 2)
        text = "domain" if name == "in_domain" else name.removesuffix("_window").replace("_", " ")
        _rates(domain_axes, metrics[metrics["metric"] == name], methods, shift, text, markersize=3.5, **look)
    _rows(domain_axes, [labels.method(name) for name in methods], methods)
    _baseline_rule(domain_axes, methods)
    domain_axes.set_title("In domain and windows" if windows else "In the domain")
    domain_axes.set_xlabel("Share of distinct candidates (%)")
    domain_axes.set_xlim(0, 103)
    style.legend_below(figure, [novelty_axes] * (len(methods) > BESIDE) + [domain_axes] * bool(windows))
    return figure


FIGURES.register("methods")(
    kind.FigureKind(
        title="Hits of each method",
        caption=(
            "Share of each method's distinct candidates, their number in brackets, that meet what is wanted, "
            "with 95 % Wilson intervals. Hollow: what the searched model says of its own candidates, which "
            "is no evidence. The judges were trained on materials that the searched members never saw. "
            "Right: hits by all judges that are new and in the domain of the training data. Below the line "
            "is what a method has to beat."
        ),
        section="methods",
        draw=draw_methods,
        required_tables=measured,
        available=compared,
        filters={"metrics": {"seed": -1}},
        subject="problem",
    )
)
FIGURES.register("optimism")(
    kind.FigureKind(
        title="What the searched model promises, and what the judges say",
        caption=(
            "Above: each point is a candidate, of many a part of them, the searched model's value of the "
            "first target against the judge's; the line is equality, and what lies above it is promised too "
            "much. Below: the mean of the difference by method, whose colour is that of its points."
        ),
        section="methods",
        draw=draw_optimism,
        required_tables=judged,
        available=compared,
        filters={"metrics": {"seed": -1}},
        subject="problem",
    )
)
FIGURES.register("novelty")(
    kind.FigureKind(
        title="How new the candidates are",
        caption=(
            "Left: share of distinct candidates whose composition is at least so far from the nearest "
            "material that the model was trained on, as half the sum of the differences of the shares on a "
            "site, averaged over sites; beyond the dotted line a candidate counts as new. Right: share "
            "inside the domain of the training data and, where known, inside the windows of the geometric "
            "criteria of perovskites, with 95 % Wilson intervals."
        ),
        section="methods",
        draw=draw_novelty,
        required_tables=measured,
        available=of_compositions,
        filters={"metrics": {"seed": -1}},
        subject="problem",
    )
)
