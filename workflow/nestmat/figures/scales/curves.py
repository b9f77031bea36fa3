"""Learning curves of the autoencoders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from nestmat.config.study import Study
from nestmat.figures import kind, style
from nestmat.figures.registry import FIGURES
from nestmat.labels.scales import Labels

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

POINTS = 250
"""Epochs drawn of a curve at most."""


def protocol_of(study: Study, scale: str) -> str:
    """The protocol whose curves are shown: strict where a model runs in it."""
    config = study.scales[scale]
    return next(p for p in config.protocols if any(p in config.runs(m) for m in config.models))


def required_tables(study: Study, scale: str) -> kind.TablePaths:
    """Histories of every autoencoder in one protocol."""
    protocol = protocol_of(study, scale)
    models = [m for m in study.scales[scale].models if protocol in study.scales[scale].runs(m)]
    return {"history": [f"models/{scale}/{protocol}/{model}.history.parquet" for model in models]}


def available(study: Study, scale: str) -> bool:
    """Every scale trains a model."""
    return bool(study.scales[scale].models)


def by_model(history: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Rows of each model, which the file in the column ``source`` is named after."""
    return {
        str(source).split("/")[-1].removesuffix(".history.parquet"): rows
        for source, rows in history.groupby("source", sort=False)
    }


def draw(frames: Mapping[str, pd.DataFrame], labels: Labels) -> Figure:
    """A panel a model: median over members, with a band from the 10th to the 90th percentile.

    Args:
        frames: ``history`` with a column ``source``, the file of each row.
        labels: Names and units.
    """
    history = frames["history"]
    histories = by_model(history[history["term"] == "total"])
    figure, axes = style.grid_of(
        len(histories), 3, height=2.1, width=style.WIDTH if len(histories) > 1 else 4
    )
    for i, (ax, (model, rows)) in enumerate(zip(axes, histories.items(), strict=True)):
        epochs = np.sort(rows["epoch"].unique())
        drawn_epochs = epochs[
            np.unique(np.linspace(0, len(epochs) - 1, min(POINTS, len(epochs))).astype(int))
        ]
        rows = rows[rows["epoch"].isin(drawn_epochs)]
        for split, colour in (("train", style.BLUE), ("validation", style.VERMILLION)):
            loss = (
                rows[rows["split"] == split]
                .groupby("epoch")["loss"]
                .quantile(np.array([0.1, 0.5, 0.9]))
                .unstack()
            )
            if loss.empty:
                continue
            ax.fill_between(loss.index, loss[0.1], loss[0.9], color=colour, alpha=0.18, linewidth=0)
            ax.plot(loss.index, loss[0.5], color=colour, linewidth=1, label=f"{split} rows")
        if (rows["loss"] > 0).all():
            ax.set_yscale("log")
        ax.set_title(labels.model(model), fontsize=8)
        ax.set_xlabel("Epoch")
        if i % 3 == 0:
            ax.set_ylabel("Total loss")
    style.legend_below(figure, axes)
    return figure


FIGURES.register("curves")(
    kind.FigureKind(
        title="Learning curves",
        caption=(
            "Total loss (sum of weighted terms, no unit) of all members (folds × seeds): median, and band "
            "from the 10th to the 90th percentile. Losses of different models are sums of different terms "
            "and are not comparable."
        ),
        section="training",
        draw=draw,
        required_tables=required_tables,
        available=available,
    )
)
