"""Shapley values of single rows: which inputs speak for a class, and with which of their values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from nestmat.config.study import Study
from nestmat.data.targets import class_targets
from nestmat.figures import kind, style
from nestmat.figures.registry import FIGURES
from nestmat.labels.scales import Labels
from nestmat.labels.text import prettify

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SHOWN = 15
"""Inputs that are shown, those with the largest mean absolute value."""
HEIGHT = 0.4
"""Half the height of a row of points."""
BINS = 60


def available(study: Study, scale: str) -> bool:
    """Whether a model of the scale that predicts a class is interpreted."""
    return study.scales[scale].interpret is not None and bool(class_targets(study, scale))


def required_tables(study: Study, scale: str) -> kind.TablePaths:
    """Shapley values of the interpreted model at single rows."""
    return {
        "attributions": [f"interpretation/{scale}.attributions.parquet"],
        "features": [kind.features(scale)],
    }


def draw(frames: Mapping[str, pd.DataFrame], labels: Labels) -> Figure:
    """A panel a class target: a row an input, a point a row of the data.

    Args:
        frames: ``attributions``: target, row_id, input, value, level.
        labels: Names and classes.
    """
    attributions = frames["attributions"]
    targets = [target for target in labels.config.targets if target in set(attributions["target"])]
    strength = (
        attributions.assign(size=attributions["value"].abs())
        .groupby(["target", "input"], sort=False)["size"]
        .mean()
    )
    # The classifier does not use an input whose values are zero but for rounding.
    read_inputs = strength[strength > 1e-9 * strength.max()]
    shown = {target: read_inputs[target].nlargest(SHOWN).index[::-1].tolist() for target in targets}
    most = max(map(len, shown.values()))
    figure, axes = style.panels(len(targets), 1, height=1.1 + 0.24 * most, width=6.2)
    for ax, target in zip(axes[:, 0], targets, strict=True):
        of_target = attributions[attributions["target"] == target]
        for place, name in enumerate(shown[target]):
            rows = of_target[of_target["input"] == name]
            values, level = rows["value"].to_numpy(), rows["level"].to_numpy()
            ranked = np.isfinite(level)
            heights = place + _swarm(values)
            ax.scatter(values[~ranked], heights[~ranked], s=6, color=style.GREY, linewidths=0)
            dots = ax.scatter(
                values[ranked],
                heights[ranked],
                c=level[ranked],
                s=6,
                cmap="coolwarm",
                vmin=0,
                vmax=1,
                linewidths=0,
            )
        ax.axvline(0, color=style.INK, linewidth=0.7)
        ax.set_yticks(range(len(shown[target])), [_name(name, labels) for name in shown[target]])
        ax.set_ylim(-0.7, len(shown[target]) - 0.3)
        ax.grid(axis="y", visible=False)
        none, one = labels.classes(target)
        ax.set_title(f"{none} ← → {one}", loc="center")
        ax.set_xlabel(f"Shapley value, probability of {one}")
        bar = figure.colorbar(dots, ax=ax, aspect=30, ticks=[0, 1])
        bar.set_ticklabels(["low", "high"])
        bar.set_label("Value of the input, by rank")
        bar.outline.set_visible(False)
    return figure


def _swarm(values: np.ndarray) -> np.ndarray:
    """Offsets that spread points which lie close to each other, within `HEIGHT`, (n,)."""
    span = np.ptp(values)
    place = (
        ((values - values.min()) / span * (BINS - 1)).astype(int) if span > 0 else np.zeros(len(values), int)
    )
    offset = np.zeros(len(values))
    counts = np.bincount(place)
    for cell in np.flatnonzero(counts):
        points = np.flatnonzero(place == cell)
        # Alternately above and below the line, as far as the fullest cell allows.
        number = np.arange(1, len(points) + 1) // 2
        offset[points] = np.where(np.arange(len(points)) % 2, 1, -1) * number
    return HEIGHT * offset / max(1.0, counts.max() / 2)


def _name(name: str, labels: Labels) -> str:
    return prettify(name if name in labels.config.features else labels.name(name))


FIGURES.register("beeswarm")(
    kind.FigureKind(
        title="What speaks for a class",
        caption=(
            "Shapley value of each input at single rows left out of training, for the predicted probability "
            "of a class; the colour is the rank of the row's value among all rows, grey for groups of "
            "inputs. The inputs with the largest mean absolute values are shown. With more than twelve "
            "inputs or groups the values are estimated from random orders. They tell what the model does "
            "with its inputs, not why alloys have phases."
        ),
        section="interpretation",
        draw=draw,
        required_tables=required_tables,
        available=available,
    )
)
