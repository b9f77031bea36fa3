"""Calibration of the predicted standard deviations, or of a class the probabilities."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

from nestmat.config.study import Study
from nestmat.figures import kind, style
from nestmat.figures.registry import FIGURES
from nestmat.labels import comparisons
from nestmat.labels.scales import Labels

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


FEWEST = 5
"""Rows of a bin of probabilities that is drawn: fewer are noise."""


def required_tables(study: Study, scale: str) -> kind.TablePaths:
    """Calibration curves of the scale, and units."""
    return {"calibration": [f"calibration/{scale}.parquet"], "features": [kind.features(scale)]}


def draw(frames: Mapping[str, pd.DataFrame], labels: Labels) -> Figure:
    """A panel a target, of several classes one each, a line a protocol, for the headline predictor.

    Args:
        frames: ``calibration``: protocol, model, target, level, interval; of a class the mean probability of
            a bin and the share of its rows that are of the class.
        labels: Names and units.
    """
    curves = frames["calibration"]
    curves = curves[curves["model"] == kind.headline(labels.study, labels.scale)]
    targets = labels.quantities
    figure, axes = style.grid_of(len(targets), 2, height=3.1, width=3.5 * min(2, len(targets)))
    for ax, target in zip(axes, targets, strict=True):
        ax.plot([0, 100], [0, 100], color=style.GREY, linewidth=0.8, linestyle="--")
        of_target = curves[curves["target"] == target]
        for protocol in comparisons.ordered(of_target["protocol"], labels.config.protocols):
            rows = of_target[of_target["protocol"] == protocol].sort_values("level")
            colour = style.CYCLE[labels.config.protocols.index(protocol) % len(style.CYCLE)]
            if labels.classes(target):
                rows = rows[rows["rows"] >= FEWEST]
            level, inside = (100 * rows[name].to_numpy() for name in ("level", "interval"))
            ax.plot(level, inside, "o-", color=colour, markersize=2.5, label=labels.protocol(protocol))
        ax.set(xlim=(0, 100), ylim=(0, 100), aspect="equal")
        ax.set_title(textwrap.fill(labels.name(target), 34))
        if names := labels.classes(target):
            ax.set_xlabel(f"Predicted probability of {names[1]} (%)")
            ax.set_ylabel(f"Share that is {names[1]} (%)")
            continue
        ax.set_xlabel("Nominal coverage (%)")
        ax.set_ylabel("Observed coverage (%)")
        style.note(ax, "too cautious")
        style.note(ax, "too confident", "lower right")
    style.legend_below(figure, axes, columns=2)
    return figure


FIGURES.register("calibration")(
    kind.FigureKind(
        title="Reliability of the uncertainty",
        caption=(
            "Share of rows that fall inside the predicted central interval, against the share that should. "
            "Below the dashed line the predicted standard deviations are too small. Of a class: the share of "
            "validation rows that are of it, of all repeats, against the probability predicted for them, in "
            "bins of equal width with five rows or more; on the dashed line the probabilities mean what they "
            "say."
        ),
        section="calibration",
        draw=draw,
        required_tables=required_tables,
    )
)
