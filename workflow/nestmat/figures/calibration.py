"""Do the predicted standard deviations mean what they say?"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.special import erf

from nestmat.config import Study
from nestmat.figures import kind, measures, style


def needs(study: Study, scale: str) -> kind.Needs:
    """Predictions of the headline predictor, and units."""
    return {
        "predictions": kind.predictions(study, scale, kind.headline(study, scale)),
        "features": [kind.features(scale)],
    }


def reliability(true: np.ndarray, mean: np.ndarray, std: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Share of rows inside the central normal interval of each level.

    Args:
        true: Values, (n,).
        mean: Predicted means, (n,).
        std: Predicted standard deviations, (n,), positive.
        levels: Nominal coverages, (k,).

    Returns:
        Observed coverages, (k,).
    """
    nominal = erf(np.abs(true - mean) / std / np.sqrt(2))
    return (nominal[:, None] <= levels).mean(axis=0)


def draw(frames: Mapping[str, pd.DataFrame], labels: style.Labels) -> Figure:
    """A panel a target, a line a protocol.

    Args:
        frames: ``predictions`` (validation rows of the ensemble).
        labels: Names and units.
    """
    found = frames["predictions"]
    found = found[(found["repeat"] == 0) & (found["std"] > 0)]
    targets = labels.config.targets
    figure, axes = style.grid_of(len(targets), 2, height=3.1, width=3.5 * min(2, len(targets)))
    levels = np.linspace(0, 1, 101)
    for ax, target in zip(axes, targets, strict=True):
        ax.plot([0, 100], [0, 100], color=style.GREY, linewidth=0.8, linestyle="--")
        mine = found[found["target"] == target]
        for protocol in measures.ordered(mine["protocol"], labels.config.protocols):
            rows = mine[mine["protocol"] == protocol]
            observed = reliability(*(rows[c].to_numpy() for c in ("true", "mean", "std")), levels)
            colour = style.CYCLE[labels.config.protocols.index(protocol) % len(style.CYCLE)]
            ax.plot(100 * levels, 100 * observed, color=colour, label=labels.protocol(protocol))
        ax.set(xlim=(0, 100), ylim=(0, 100), aspect="equal")
        ax.set_title(textwrap.fill(labels.name(target), 34))
        ax.set_xlabel("Nominal coverage (%)")
        ax.set_ylabel("Observed coverage (%)")
        style.note(ax, "too cautious")
        style.note(ax, "too confident", "lower right")
    style.legend_below(figure, axes, columns=2)
    return figure


KIND = kind.Kind(
    title="Reliability of the uncertainty",
    caption=(
        "Share of rows that fall inside the predicted central interval, against the share that should. Below the dashed line the "
        "predicted standard deviations are too small."
    ),
    section="calibration",
    draw=draw,
    needs=needs,
    filters={"predictions": kind.ENSEMBLE},
)
