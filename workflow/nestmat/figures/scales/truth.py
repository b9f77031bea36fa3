"""Predicted efficiency of compounds left out of every scale, against the physics that simulated it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nestmat.config.study import Study
from nestmat.figures import kind, style
from nestmat.figures.registry import FIGURES
from nestmat.labels.numbers import format_significant
from nestmat.labels.scales import Labels
from nestmat.labels.text import prettify, with_unit

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Vermillion against green and purple against sky are the pairs that stay distinct in every common deficiency;
# blue is left to the points of all compounds.
COLOURS = (style.VERMILLION, style.GREEN, style.PURPLE, style.ORANGE, style.SKY, style.BROWN)
HEIGHT_OF_CURVE, HEIGHT_OF_ROW = 3.0, 1.9


def available(study: Study, scale: str) -> bool:
    """Whether the scale is held against the physics."""
    return study.scales[scale].device_physics is not None


def required_tables(study: Study, scale: str) -> kind.TablePaths:
    """What was traced, and the unit of the target."""
    return {"truth": [f"truth/{scale}.parquet"], "features": [kind.features(scale)]}


def draw(frames: Mapping[str, pd.DataFrame], labels: Labels) -> Figure:
    """The efficiency over the gap, and below it a panel for each variable.

    Args:
        frames: ``truth``, with the columns of `nestmat.evaluation.device_physics.DEVICE_PHYSICS`.
        labels: Names and units.
    """
    from matplotlib.figure import Figure

    trace = frames["truth"]
    variables = [name for name in dict.fromkeys(trace["kind"]) if name not in ("curve", "gap", "device")]
    rows = -(-len(variables) // 3)
    heights = [HEIGHT_OF_CURVE, *[HEIGHT_OF_ROW] * rows]
    figure = Figure(figsize=(style.WIDTH, sum(heights)), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.06)  # type: ignore[call-arg, union-attr]
    grid = figure.add_gridspec(1 + rows, 3, height_ratios=heights)
    top = figure.add_subplot(grid[0, :])
    along = trace[trace["kind"].isin(variables)]
    gaps = trace[trace["kind"] == "gap"].set_index("formula")["x"]
    chosen = gaps[along["formula"].unique()].sort_values()
    colours = {str(name): COLOURS[k % len(COLOURS)] for k, name in enumerate(chosen.index)}
    _curve(top, trace, colours, labels)
    first = None
    for place, variable in enumerate(variables):
        ax = figure.add_subplot(grid[1 + place // 3, place % 3], sharey=first)
        first = first or ax
        _panel(ax, along[along["kind"] == variable], colours, variable)
        ax.tick_params(labelleft=place % 3 == 0)
        if place % 3 == 0:
            ax.set_ylabel(labels.axis(_target(labels), characters=24))
    if variables:
        _legend(figure, {str(name): f"{name}, {gap:.2f} eV" for name, gap in chosen.items()}, colours)
    return figure


def _target(labels: Labels) -> str:
    target = labels.study.efficiency_column(labels.scale)
    assert target is not None
    return target


def _curve(ax: Axes, trace: pd.DataFrame, colours: Mapping[str, str], labels: Labels) -> None:
    curve, points = (trace[trace["kind"] == name] for name in ("curve", "gap"))
    ax.plot(
        curve["x"],
        curve["limit"],
        color=style.GREY,
        linewidth=1,
        linestyle=":",
        label="detailed-balance limit",
    )
    ax.plot(curve["x"], curve["true"], color=style.INK, label="physics")
    compounds = points[~points["formula"].isin(list(colours))]
    _points(ax, compounds, color=style.BLUE, markersize=3.2, label="predicted, compound left out")
    for name, colour in colours.items():
        _points(ax, points[points["formula"] == name], color=colour, markersize=5.5, zorder=5)
    target = _target(labels)
    ax.set_ylim(bottom=min(0.0, float(points["mean"].min()) - 1))
    ax.set_xlabel("Band gap (eV)")
    ax.set_ylabel(labels.axis(target))
    error = (points["mean"] - points["true"]).abs().mean()
    style.note(
        ax,
        f"{len(points)} compounds\nMAE {format_significant(error)} {labels.unit(target)}".rstrip(),
        corner="upper right",
    )
    ax.legend(loc="center right")


def _points(ax: Axes, rows: pd.DataFrame, **options: Any) -> None:
    ax.errorbar(
        rows["x"],
        rows["mean"],
        yerr=rows["std"],
        fmt="o",
        elinewidth=0.7,
        markeredgewidth=0,
        alpha=0.8,
        **options,
    )


def _panel(ax: Axes, rows: pd.DataFrame, colours: Mapping[str, str], variable: str) -> None:
    percent = 100 if variable == "strain" else 1
    for name, colour in colours.items():
        compound = rows[rows["formula"] == name]
        x = compound["x"] * percent
        low, high = compound["mean"] - compound["std"], compound["mean"] + compound["std"]
        ax.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0)
        ax.plot(x, compound["true"], color=colour, linewidth=1.3)
        ax.plot(x, compound["mean"], color=colour, linewidth=1.3, linestyle=(0, (3, 1.5)))
    unit = "%" if percent == 100 else rows["unit"].iloc[0]
    ax.set_xlabel(with_unit(prettify(variable), unit))
    if variable != "strain":
        _logarithmic(ax, float(rows["x"].min()), float(rows["x"].max()))


def _logarithmic(ax: Axes, low: float, high: float) -> None:
    """A logarithmic axis with values at its ticks, powers of ten only beyond five figures."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    ax.set_xscale("log")
    ax.set_xlim(low / 1.08, high * 1.08)
    decades = math.log10(high / low)
    subs = (1,) if decades > 3 else (1, 5) if decades > 1.5 else (1, 2, 5)
    ax.xaxis.set_major_locator(LogLocator(subs=subs, numticks=12))
    ax.xaxis.set_minor_formatter(NullFormatter())
    if low >= 1e-3:
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _legend(figure: Figure, names: Mapping[str, str], colours: Mapping[str, str]) -> None:
    line = {"marker": "", "linestyle": "-", "color": style.INK}
    handles = [
        style.marker("physics", **line),
        style.marker("predicted, ± 1 σ", **{**line, "linestyle": (0, (3, 1.5))}),
    ]
    handles += [style.marker(text, color=colours[name], markeredgewidth=0) for name, text in names.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)


FIGURES.register("truth")(
    kind.FigureKind(
        title="The physics, and what is predicted of compounds never seen",
        caption=(
            "Above: efficiency against the calculated band gap at one process, the middle of all ranges, "
            "without strain. The line is the simulator, the dotted line the detailed-balance limit. Each "
            "point is a compound as predicted by members that saw it at no scale of the chain: its vertical "
            "distance to the line is the error. Below: the coloured compounds along each process variable "
            "and along the strain, with all else as above; full lines are the simulator. Bars and bands are "
            "one predicted standard deviation."
        ),
        section="results",
        draw=draw,
        required_tables=required_tables,
        available=available,
    )
)
