"""Validation error against the number of latents."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nestmat.config import Study
from nestmat.figures import kind, style


def available(study: Study, scale: str) -> bool:
    """Whether latent sizes are swept."""
    return study.scales[scale].sweep is not None


def needs(study: Study, scale: str) -> kind.Needs:
    """The sweep and units."""
    return {"sweeps": [f"sweeps/{scale}.parquet"], "features": [kind.features(scale)]}


def draw(frames: Mapping[str, pd.DataFrame], labels: style.Labels) -> Figure:
    """A panel a target: mean over folds with a band of one standard deviation, and the published sweep.

    Args:
        frames: ``sweeps`` (latents, target, repeat, fold, metric, value) and ``published``.
        labels: Names and units.
    """
    sweep = labels.config.sweep
    assert sweep is not None
    found = frames["sweeps"]
    found = found[(found["metric"] == "mae") & (found["fold"] >= 0)]
    targets = [t for t in labels.config.targets if t in set(found["target"])]
    figure, axes = style.grid_of(len(targets), 2, height=2.9, width=style.WIDTH if len(targets) > 1 else 4.8)
    chosen = labels.config.models[sweep.model].specification.encoder.latents
    for ax, target in zip(axes, targets, strict=True):
        values = found[found["target"] == target].groupby("latents")["value"]
        size, mean, sd = (
            values.mean().index.to_numpy(),
            values.mean().to_numpy(),
            values.std(ddof=0).to_numpy(),
        )
        ax.fill_between(size, mean - sd, mean + sd, color=style.BLUE, alpha=0.15, linewidth=0)
        ax.plot(
            size, mean, "o-", color=style.BLUE, label=f"{labels.model(sweep.model)}, mean ± sd over folds"
        )
        if chosen in size:
            ax.axvline(chosen, color=style.GREY, linewidth=0.8, linestyle=":", label=f"in use: {chosen}")
        published = frames["published"]
        published = published[
            (published["model"] == sweep.model)
            & (published["target"] == target)
            & published["latents"].notna()
        ].sort_values("latents")
        if len(published) > 1:
            ax.plot(
                published["latents"], published["value"], markersize=4, label="published", **style.PUBLISHED
            )
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_ylim(0, 1.12 * float(np.nanmax(mean + sd)))
        ax.set_xlabel("Latent variables")
        ax.set_ylabel(labels.axis(target, "Validation MAE of", characters=36))
        ax.set_title(labels.protocol(sweep.protocol))
    style.legend_below(figure, axes, columns=3)
    return figure


KIND = kind.Kind(
    title="How many latents are needed",
    caption=(
        "Validation error against the number of latent variables, mean over folds with a band of one standard deviation. The dotted "
        "line is the size in use. Sizes that differ by less than the band are not told apart by these data."
    ),
    section="training",
    draw=draw,
    needs=needs,
    available=available,
)
