"""How often each class is decided for, by the class that the rows are of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from nestmat.config.study import Study
from nestmat.data.targets import class_targets
from nestmat.figures import kind, style
from nestmat.figures.registry import FIGURES
from nestmat.labels import comparisons
from nestmat.labels.scales import Labels
from nestmat.models.keys import several_classes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def available(study: Study, scale: str) -> bool:
    """Whether the scale predicts one of three classes or more."""
    return bool(several_classes(class_targets(study, scale)))


def required_tables(study: Study, scale: str) -> kind.TablePaths:
    """Predictions of the headline predictor, and classes."""
    files = kind.predictions(study, scale, kind.headline(study, scale))
    return {"predictions": files, "features": [kind.features(scale)]}


def draw(frames: Mapping[str, pd.DataFrame], labels: Labels) -> Figure:
    """A panel a target and protocol: number of validation rows, its colour the share of the true class.

    Args:
        frames: ``predictions``: validation rows of the headline predictor, first repeat.
        labels: Names and classes.
    """
    from nestmat.evaluation.classification import classes_side_by_side, confusion_counts

    predictions = frames["predictions"]
    predictions = predictions[predictions["model"] == kind.headline(labels.study, labels.scale)]
    several = several_classes({target: labels.classes(target) for target in labels.config.targets})
    protocols = comparisons.ordered(predictions["protocol"], labels.config.protocols)
    cells = [(target, protocol) for target in several for protocol in protocols]
    figure, axes = style.grid_of(len(cells), 2, height=3.2, width=style.WIDTH if len(cells) > 1 else 4.4)
    for ax, (target, protocol) in zip(axes, cells, strict=True):
        of_panel = predictions[predictions["protocol"] == protocol]
        joined = classes_side_by_side(of_panel, several[target])
        probabilities = joined[list(range(len(several[target])))].to_numpy()
        _panel(ax, confusion_counts(joined["true"].to_numpy(), probabilities), labels.classes(target))
        title = labels.protocol(protocol) + (f": {labels.name(target)}" if len(several) > 1 else "")
        ax.set_title(title, fontsize=8)
    return figure


def _panel(ax: Axes, counts: np.ndarray, names: list[str]) -> None:
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if share[row, column] > 0.5 else style.INK
        ax.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)
    places = range(len(names))
    ax.set_xticks(places, names, rotation=30, ha="right")
    ax.set_yticks(places, names)
    ax.set_xlabel("Predicted class")
    ax.set_ylabel("True class")
    ax.grid(visible=False)


FIGURES.register("confusion")(
    kind.FigureKind(
        title="Classes taken for others",
        caption=(
            "Left-out rows by their class and by the class of the highest probability, of the first split; "
            "the colour is the share of the rows of the true class."
        ),
        section="results",
        draw=draw,
        required_tables=required_tables,
        available=available,
        filters={"predictions": kind.ENSEMBLE},
    )
)
