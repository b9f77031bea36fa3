"""Accuracy and AUC against the number of labelled rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nestmat.config.scales import Scale
from nestmat.config.study import Study
from nestmat.data.targets import class_targets
from nestmat.figures import kind, style
from nestmat.figures.registry import FIGURES
from nestmat.labels import comparisons
from nestmat.labels.scales import Labels
from nestmat.models.keys import RECOMMENDED

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def series(config: Scale) -> list[list[str]]:
    """Protocols of a scale that are the same holdout but for the share of rows that are labelled.

    Args:
        config: The scale.

    Returns:
        Groups of two protocols or more.
    """
    groups: dict[Any, list[str]] = {}
    for name, split in config.splits.items():
        if settings := split.build().without_labelled_share:
            groups.setdefault(settings, []).append(name)
    return [names for names in groups.values() if len(names) > 1]


def available(study: Study, scale: str) -> bool:
    """Whether a class is learned from different numbers of labels."""
    return bool(class_targets(study, scale)) and bool(series(study.scales[scale]))


def required_tables(study: Study, scale: str) -> kind.TablePaths:
    """Metrics and classes of the scale."""
    return {"metrics": [f"metrics/{scale}.parquet"], "features": [kind.features(scale)]}


def draw(frames: Mapping[str, pd.DataFrame], labels: Labels) -> Figure:
    """A row of panels a target and series of protocols, a column a metric.

    Args:
        frames: ``metrics``, and ``published`` as `nestmat.data.published.for_scale` gives it.
        labels: Names and classes.
    """
    summary = comparisons.summary(frames["metrics"])
    targets = [target for target in labels.config.targets if labels.classes(target)]
    cells = [(target, protocols) for target in targets for protocols in series(labels.config)]
    splits = {name: split.build() for name, split in labels.config.splits.items()}
    metrics = comparisons.compared_by(classes=True)
    figure, axes = style.panels(len(cells), len(metrics), height=3.1)
    for row, (target, protocols) in zip(axes, cells, strict=True):
        of_target = summary[(summary["target"] == target) & (summary["repeat"] == 0)]
        rows = of_target[(of_target["metric"] == "rows") & (of_target["split"] == "train")]
        labelled = rows.groupby("protocol")["mean"].mean()
        of_series = of_target[of_target["protocol"].isin(protocols)]
        # Published values are of a split by itself, which asks the same of its test rows.
        alike = [n for n, split in splits.items() if split.test_rows == splits[protocols[0]].test_rows]
        for ax, metric in zip(row, metrics, strict=True):
            validation = of_series[(of_series["metric"] == metric) & (of_series["split"] == "validation")]
            _lines(ax, validation, labelled, labels)
            _published(ax, frames["published"], target, metric, alike, labelled)
            if metric == "accuracy":
                majority = of_series[
                    (of_series["metric"] == "majority_rate") & (of_series["split"] == "validation")
                ]
                ax.axhline(majority["mean"].mean(), color=style.GREY, linewidth=0.8, linestyle=":")
            ax.set_xlabel("Labelled rows")
            ax.set_ylabel(labels.axis(target, f"{comparisons.NAMES[metric]} of", characters=34))
            ax.set_xlim(left=0)
    style.legend_below(figure, list(axes.flat))
    return figure


def _lines(ax: Axes, validation: pd.DataFrame, labelled: pd.Series, labels: Labels) -> None:
    colours = [colour for colour in style.CYCLE if colour != style.VERMILLION]
    names = comparisons.ordered(
        validation["model"], [RECOMMENDED, *labels.config.models, *labels.config.baselines]
    )
    competitors = [name for name in names if name != RECOMMENDED]
    for name in names:
        rows = validation[validation["model"] == name].assign(x=lambda part: part["protocol"].map(labelled))
        rows = rows.sort_values("x")
        first = name == RECOMMENDED
        colour = style.VERMILLION if first else colours[competitors.index(name) % len(colours)]
        line = "--" if name in labels.config.baselines else "-"
        look: dict[str, Any] = {"color": colour, "label": labels.model(name), "marker": "o", "markersize": 3}
        ax.plot(rows["x"], rows["mean"], line, **look)
        if first or name in labels.config.models:
            low, high = rows["mean"] - rows["std"], rows["mean"] + rows["std"]
            ax.fill_between(rows["x"], low, high, color=colour, alpha=0.13, linewidth=0)


def _published(
    ax: Axes, published: pd.DataFrame, target: str, metric: str, protocols: list[str], labelled: pd.Series
) -> None:
    numbers = published[
        (published["target"] == target)
        & (published["metric"] == metric)
        & (published["split"] == "validation")
        & published["protocol"].isin(protocols)
    ]
    if not numbers.empty:
        labels_used = numbers["protocol"].map(labelled)
        ax.plot(
            labels_used, numbers["value"], markersize=4.5, label="published, one split", **style.PUBLISHED
        )


FIGURES.register("labelled")(
    kind.FigureKind(
        title="How many labels are needed",
        caption=(
            "Accuracy and area under the ROC curve (AUC) on left-out rows against the number of training "
            "rows that have a label, mean over repeats of the same split; bands of one standard deviation. "
            "Dashed lines are baselines, the dotted line is the share of the more frequent class. Hollow "
            "diamonds are published values, which are of one split."
        ),
        section="results",
        draw=draw,
        required_tables=required_tables,
        available=available,
    )
)
