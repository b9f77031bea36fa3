"""Error of every model, or its accuracy and AUC, training and validation, with the published values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nestmat.config.study import Study
from nestmat.figures import kind, style
from nestmat.figures.registry import FIGURES
from nestmat.labels import comparisons
from nestmat.labels.scales import Labels
from nestmat.models.keys import RECOMMENDED

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def required_tables(study: Study, scale: str) -> kind.TablePaths:
    """Metrics and units of the scale."""
    return {"metrics": [f"metrics/{scale}.parquet"], "features": [kind.features(scale)]}


def draw(frames: Mapping[str, pd.DataFrame], labels: Labels) -> Figure:
    """A panel a target and protocol, of a class two of them; best model on top.

    Args:
        frames: ``metrics``, and ``published`` as `nestmat.data.published.for_scale` gives it.
        labels: Names and units.
    """
    summary = comparisons.summary(frames["metrics"])
    summary = summary[(summary["repeat"] == 0) & summary["target"].isin(labels.config.targets)]
    cells = [
        (target, protocol, metric)
        for target in labels.config.targets
        for protocol in comparisons.ordered(summary["protocol"], labels.config.protocols)
        for metric in comparisons.compared_by(bool(labels.classes(target)))
        if not summary[(summary["target"] == target) & (summary["protocol"] == protocol)].empty
    ]
    shown = summary[summary["metric"].isin({metric for _, _, metric in cells})]
    most_models = shown.groupby(["target", "protocol"])["model"].nunique().max()
    figure, axes = style.grid_of(len(cells), 2, height=1.0 + 0.23 * most_models)
    published_numbers = frames["published"]
    published_numbers = published_numbers[published_numbers["metric"].isin(set(shown["metric"]))]
    for ax, (target, protocol, metric) in zip(axes, cells, strict=True):
        of_panel = summary[(summary["target"] == target) & (summary["protocol"] == protocol)]
        published = published_numbers[
            (published_numbers["target"] == target)
            & (published_numbers["protocol"] == protocol)
            & (published_numbers["metric"] == metric)
            & (published_numbers["split"] == "validation")
            & published_numbers["latents"].isna()
        ]
        of_metric = of_panel[of_panel["metric"] == metric]
        _panel(ax, of_metric, published.drop_duplicates("model").set_index("model"), labels)
        several = len(labels.config.targets) > 1
        ax.set_title(f"{labels.protocol(protocol)}" + (f": {labels.name(target)}" if several else ""))
        ax.set_xlabel(labels.axis(target, f"{comparisons.NAMES[metric]} of", characters=34))
        if metric == "accuracy":
            majority = of_panel[(of_panel["metric"] == "majority_rate") & (of_panel["split"] == "validation")]
            ax.axvline(majority["mean"].mean(), color=style.GREY, linewidth=0.8, linestyle=":")
        elif metric == "mae":
            ax.set_xlim(left=0)
    figure.legend(handles=_key(shown, published_numbers), loc="outside lower center", ncols=5)
    return figure


def _key(summary: pd.DataFrame, published: pd.DataFrame) -> list[Artist]:
    handles = [style.marker("recommended", color=style.VERMILLION)] * (RECOMMENDED in set(summary["model"]))
    handles += [style.marker("autoencoder", color=style.BLUE), style.marker("baseline", color=style.GREY)]
    tick = {"marker": "|", "markersize": 7, "markeredgewidth": 1.4}
    handles.append(style.marker("training rows", color=style.INK, **tick))
    if (summary["metric"] == "accuracy").any():
        line = {"marker": "", "linestyle": ":", "linewidth": 0.8, "color": style.GREY}
        handles.append(style.marker("majority class", **line))
    return handles + [style.marker("published", **style.PUBLISHED)] * (not published.empty)


def _panel(ax: Axes, rows: pd.DataFrame, published: pd.DataFrame, labels: Labels) -> None:
    scores = bool(rows["metric"].isin(comparisons.SCORES).all())
    validation = rows[rows["split"] == "validation"].sort_values("mean", ascending=scores)
    train = rows[rows["split"] == "train"].set_index("model")
    for y, (model, mean, sd) in enumerate(validation[["model", "mean", "std"]].itertuples(index=False)):
        colour = _colour(model, labels)
        ax.errorbar(mean, y, xerr=sd, fmt="o", color=colour, elinewidth=1.2, capsize=2)
        if model in train.index:
            ax.plot(train.loc[model, "mean"], y, "|", markersize=7, markeredgewidth=1.4, color=colour)
        if model in published.index:
            # Drawn a little below, so that a value that was reproduced does not hide under its reproduction.
            ax.errorbar(
                published.loc[model, "value"],
                y - 0.27,
                xerr=published.loc[model, "spread"],
                ecolor=style.GREY,
                elinewidth=0.8,
                markersize=4.5,
                **style.PUBLISHED,
            )
    ax.set_yticks(range(len(validation)), [labels.model(m) for m in validation["model"]])
    ax.set_ylim(-0.8, len(validation) - 0.4)
    ax.grid(axis="y", visible=False)


def _colour(model: str, labels: Labels) -> str:
    if model == RECOMMENDED:
        return style.VERMILLION
    return style.BLUE if model in labels.config.models else style.GREY


FIGURES.register("errors")(
    kind.FigureKind(
        title="Errors of all models",
        caption=(
            "Mean absolute error (MAE), of a class accuracy and area under the ROC curve (AUC): mean ± "
            "standard deviation over folds, or over repeats of a split with one fold, best model on top. "
            "Ticks mark the value on training rows; hollow diamonds are published values, shown only under "
            "the split they were published for."
        ),
        section="results",
        draw=draw,
        required_tables=required_tables,
    )
)
