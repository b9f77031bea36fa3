"""True-positive against false-positive rate of the probabilities of a class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from nestmat.config.study import Study
from nestmat.figures import kind, style
from nestmat.figures.registry import FIGURES
from nestmat.labels import comparisons
from nestmat.labels.scales import Labels

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GRID = np.linspace(0, 1, 101)
"""False-positive rates at which the curves of several splits are averaged."""


def required_tables(study: Study, scale: str) -> kind.TablePaths:
    """Predictions of the headline predictor and of the autoencoder, and classes."""
    models = dict.fromkeys([kind.headline(study, scale), kind.autoencoder(study, scale)])
    return {
        "predictions": [path for model in models for path in kind.predictions(study, scale, model)],
        "features": [kind.features(scale)],
    }


def draw(frames: Mapping[str, pd.DataFrame], labels: Labels) -> Figure:
    """A panel a target and protocol, of several classes one each, against the rest.

    Args:
        frames: ``predictions``: training and validation rows of the ensembles.
        labels: Names and classes.
    """
    predictions = frames["predictions"]
    predictions = predictions[predictions["fold"] >= 0]
    targets = [quantity for quantity in labels.quantities if labels.classes(quantity)]
    predictions = predictions[predictions["target"].isin(targets)]
    protocols = comparisons.ordered(predictions["protocol"], labels.config.protocols)
    cells = [(target, protocol) for target in targets for protocol in protocols]
    columns = min(3, len(cells))
    figure, axes = style.grid_of(len(cells), 3, height=2.75, width=max(3.4, columns * style.WIDTH / 3))
    models = comparisons.ordered(predictions["model"], [kind.headline(labels.study, labels.scale)])
    for ax, (target, protocol) in zip(axes, cells, strict=True):
        of_panel = predictions[(predictions["target"] == target) & (predictions["protocol"] == protocol)]
        ax.plot([0, 1], [0, 1], color=style.GREY, linewidth=0.8, linestyle="--")
        for colour, model in zip((style.VERMILLION, style.BLUE), models, strict=False):
            rows = of_panel[of_panel["model"] == model]
            for split, line in (("validation", "-"), ("train", ":")):
                _curve(ax, rows[rows["split"] == split], colour, line, labels.model(model), split)
        ax.set(xlim=(0, 1), ylim=(0, 1.01), aspect="equal")
        several = len(targets) > 1
        ax.set_title(labels.protocol(protocol) + (f": {labels.name(target)}" if several else ""), fontsize=8)
        ax.set_xlabel("False-positive rate")
        ax.set_ylabel("True-positive rate")
        ax.legend(loc="lower right", fontsize=6, handlelength=1.2, borderaxespad=0.1)
    return figure


def _curve(ax: Axes, rows: pd.DataFrame, colour: str, line: str, name: str, split: str) -> None:
    from nestmat.evaluation.classification import roc_auc, roc_curve

    curves, areas = [], []
    for _, part in rows.groupby(["repeat", "fold"]):
        true, probability = part["true"].to_numpy(), part["mean"].to_numpy()
        if 0 < true.sum() < len(true):
            curves.append(roc_curve(true, probability, GRID))
            areas.append(roc_auc(true, probability))
    if not curves:
        return
    mean, sd = np.mean(curves, axis=0), np.std(curves, axis=0)
    spread = f" ± {np.std(areas):.3f}" if len(areas) > 1 else ""
    split_name = "test" if split == "validation" else "train"
    ax.plot(GRID, mean, line, color=colour, label=f"{name}, {split_name}: {np.mean(areas):.3f}{spread}")
    if len(curves) > 1 and split == "validation":
        ax.fill_between(GRID, mean - sd, np.minimum(mean + sd, 1), color=colour, alpha=0.15, linewidth=0)


FIGURES.register("roc")(
    kind.FigureKind(
        title="ROC curves",
        caption=(
            "True-positive against false-positive rate, mean over folds and repeats with a band of one "
            "standard deviation, of rows that were left out (solid) and of training rows (dotted). Numbers "
            "are the area under the curve, mean ± standard deviation; the dashed line is guessing. Of more "
            "than two classes each is told from all others."
        ),
        section="results",
        draw=draw,
        required_tables=required_tables,
        available=kind.classes,
        filters={"predictions": kind.BOTH},
    )
)
