"""Nested against single-scale: errors by fold and their paired difference."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from nestmat.config.study import Study
from nestmat.figures import kind, style
from nestmat.figures.registry import FIGURES
from nestmat.labels import comparisons as measures
from nestmat.labels.scales import Labels
from nestmat.labels.text import lower_first, with_unit

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def available(study: Study, scale: str) -> bool:
    """Whether a pair is compared."""
    return bool(study.scales[scale].compare and study.scales[scale].targets)


def required_tables(study: Study, scale: str) -> kind.TablePaths:
    """Metrics, comparisons and units of the scale."""
    return {
        "metrics": [f"metrics/{scale}.parquet"],
        "comparisons": [f"comparisons/{scale}.parquet"],
        "features": [kind.features(scale)],
    }


def draw(frames: Mapping[str, pd.DataFrame], labels: Labels) -> Figure:
    """A row a pair and target: violins of the errors by fold, and the difference with its interval.

    Args:
        frames: ``metrics`` and ``comparisons`` of the scale.
        labels: Names and units.
    """
    comparisons = frames["comparisons"]
    rows = [
        (nested, single, target, metric)
        for nested, single in labels.config.compare
        for target in labels.config.targets
        for metric in measures.compared_by(bool(labels.classes(target)))
        if not _pair(comparisons, nested, single, target, metric).empty
    ]
    most = max((len(_pair(comparisons, *row)) for row in rows), default=1)
    figure, axes = style.panels(len(rows), 2, height=max(2.3, 0.9 + 0.42 * most))
    for (violin_axes, difference_axes), (nested, single, target, metric) in zip(axes, rows, strict=True):
        pair = _pair(comparisons, nested, single, target, metric)
        pair = pair.set_index("protocol").loc[measures.ordered(pair["protocol"], labels.config.protocols)]
        metrics = frames["metrics"][frames["metrics"]["metric"] == metric]
        _violins(violin_axes, metrics, list(pair.index), (nested, single), target, labels)
        _differences(difference_axes, pair, labels, target)
        violin_axes.set_title(
            f"{labels.model(nested)} against {lower_first(labels.model(single))}", fontsize=8
        )
        difference_axes.set_title("Paired difference", fontsize=8)
    names = ("nested", "single scale") if labels.config.parents else ("first model", "second model")
    handles = [
        style.patch(name, color) for name, color in zip(names, (style.BLUE, style.ORANGE), strict=True)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def _pair(compared: pd.DataFrame, nested: str, single: str, target: str, metric: str) -> pd.DataFrame:
    keys = ["nested", "single", "target", "metric"]
    return compared[(compared[keys] == [nested, single, target, metric]).all(axis=1)]


def _violins(
    ax: Axes,
    metrics: pd.DataFrame,
    protocols: list[str],
    pair: tuple[str, str],
    target: str,
    labels: Labels,
) -> None:
    rows = metrics[
        (metrics["split"] == "validation")
        & (metrics["target"] == target)
        & (metrics["seed"] == -1)
        & (metrics["fold"] >= 0)
    ]
    for place, protocol in enumerate(protocols):
        wide = rows[rows["protocol"] == protocol].pivot_table(
            index=["repeat", "fold"], columns="model", values="value"
        )
        if missing := set(pair) - set(wide):
            raise KeyError(f"The metrics of {protocol} lack {sorted(missing)}.")
        wide = wide[list(pair)].dropna()
        for side, (model, colour) in enumerate(zip(pair, (style.BLUE, style.ORANGE), strict=True)):
            x = place + (side - 0.5) * 0.42
            values = wide[model].to_numpy()
            if len(values) > 1 and values.std() > 0:
                body = ax.violinplot([values], positions=[x], widths=0.36, showextrema=False)
                body["bodies"][0].set(facecolor=colour, alpha=0.35, edgecolor="none")  # type: ignore[index]
            ax.plot(
                [x] * len(values), values, "o", color=colour, markersize=2.6, alpha=0.7, markeredgewidth=0
            )
            ax.plot([x - 0.13, x + 0.13], [values.mean()] * 2, color=style.INK, linewidth=1.4)
        ax.plot(
            [place - 0.21, place + 0.21],
            wide.to_numpy().T,
            color=style.GREY,
            linewidth=0.3,
            alpha=0.5,
            zorder=1,
        )
    names = [textwrap.fill(labels.protocol(p), max(10, 40 // len(protocols))) for p in protocols]
    ax.set_xticks(range(len(protocols)), names)
    ax.set_xlim(-0.6, len(protocols) - 0.4)
    ax.grid(axis="x", visible=False)
    name = measures.NAMES[rows["metric"].iloc[0]]
    ax.set_ylabel(labels.axis(target, f"{name} of a fold,", characters=28), fontsize=7.5)


def _differences(ax: Axes, pair: pd.DataFrame, labels: Labels, target: str) -> None:
    for y, row in enumerate(pair.iloc[::-1].to_dict("records")):
        difference, low, high = row["difference"], row["low"], row["high"]
        ax.errorbar(
            difference,
            y,
            xerr=[[difference - low], [high - difference]],
            fmt="o",
            capsize=3,
            color=style.BLUE if measures.is_significant(row) else style.GREY,
        )
    ax.axvline(0, color=style.INK, linewidth=0.8)
    reach = 1.15 * float(np.nanmax(np.abs(pair[["difference", "low", "high"]].to_numpy())))
    ax.set_xlim(-reach, reach)
    ax.set_ylim(-0.7, len(pair) - 0.3)
    ax.set_yticks(range(len(pair)), [labels.protocol(p) for p in pair.index[::-1]])
    ax.grid(axis="y", visible=False)
    nests, metric = bool(labels.config.parents), pair["metric"].iloc[0]
    better, worse = measures.verdict_words(nests)
    ends = (worse, better) if metric in measures.SCORES else (better, worse)
    sides = zip((0.01, 0.99), ("left", "right"), ends, strict=True)
    for x, side, text in sides:
        ax.text(x, 0.99, text, transform=ax.transAxes, fontsize=7, color=style.GREY, va="top", ha=side)
    name = measures.NAMES[metric]
    compared_errors = f"{name} nested − single" if nests else f"{name} first − second"
    ax.set_xlabel(with_unit(compared_errors, labels.unit(target)))


FIGURES.register("nesting")(
    kind.FigureKind(
        title="Two models compared",
        caption=(
            "Left: errors by fold (all repeats) of a model, such as a nested one, and of its ablation; thin "
            "lines join the same fold, black bars are means. Right: paired difference over rows with its 95 "
            "% interval over materials (over left-out levels where whole levels are left out); blue where "
            "the interval leaves out zero and the tests over these and over folds agree (p < 0.05). Of a "
            "class accuracy and area under the ROC curve (AUC); the interval of the latter is over the "
            "splits."
        ),
        section="nesting",
        draw=draw,
        required_tables=required_tables,
        available=available,
    )
)
