"""Predicted against true, over all folds."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from nestmat.config.study import Study
from nestmat.figures import kind, style
from nestmat.figures.registry import FIGURES
from nestmat.labels import comparisons
from nestmat.labels.numbers import format_significant
from nestmat.labels.scales import Labels
from nestmat.labels.text import with_unit

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BARS_UP_TO = 500
"""Rows beyond which error bars would hide the points."""
NARROWEST = 1.8
"""Least width of a panel in inches: with many protocols the figure is wider than the text."""


def required_tables(study: Study, scale: str) -> kind.TablePaths:
    """Predictions of the headline predictor and of the autoencoder, units, and flags of the labels."""
    models = dict.fromkeys([kind.headline(study, scale), kind.autoencoder(study, scale)])
    return {
        "predictions": [path for model in models for path in kind.predictions(study, scale, model)],
        "features": [kind.features(scale)],
        "data": [f"data/{study.scales[scale].dataset}.parquet"],
    }


def draw(frames: Mapping[str, pd.DataFrame], labels: Labels) -> Figure:
    """A row of panels a target and predictor, a column a protocol.

    Args:
        frames: ``predictions`` (validation rows of the ensemble) and ``data`` (row_id, flag).
        labels: Names and units.
    """
    predictions = frames["predictions"]
    flags = frames["data"].set_index("row_id")["flag"]
    targets = [target for target in labels.config.targets if not labels.classes(target)]
    rows = [(target, model) for target in targets for model in dict.fromkeys(predictions["model"])]
    protocols = comparisons.ordered(predictions["protocol"], labels.config.protocols)
    cells = [[(target, model, protocol) for protocol in protocols] for target, model in rows]
    if len(protocols) == 1:
        cells = [[row[0] for row in cells]]
    count = len(cells[0])
    side = min(2.7, max(NARROWEST, style.WIDTH / count))
    figure, axes = style.panels(len(cells), count, height=side + 0.42, width=max(side * count, 3.4))
    figure.get_layout_engine().set(h_pad=0.1)  # type: ignore[call-arg, union-attr]
    for ax, (target, model, protocol) in zip(axes.flat, chain.from_iterable(cells), strict=True):
        of_panel = predictions[
            (predictions[["target", "model", "protocol"]] == [target, model, protocol]).all(axis=1)
        ]
        if of_panel.empty:
            ax.set_axis_off()
            continue
        _panel(ax, of_panel, of_panel["row_id"].map(flags).fillna("").ne("").to_numpy(), labels.unit(target))
        ax.set_title(labels.protocol(protocol), fontsize=8, pad=24)
        ax.set_xlabel(with_unit("True", labels.unit(target)))
        if len(protocols) == 1 or protocol == protocols[0]:
            predicted = labels.axis(target, "Predicted", characters=int(12 * side))
            ax.set_ylabel(f"{labels.model(model)}\n{predicted}")
    style.legend_below(figure, list(axes.flat))
    return figure


def _panel(ax: Axes, rows: pd.DataFrame, flagged: np.ndarray, unit: str) -> None:
    true, mean, std = (rows[name].to_numpy() for name in ("true", "mean", "std"))
    low, high = float(min(true.min(), mean.min())), float(max(true.max(), mean.max()))
    limits = (low - 0.04 * (high - low), high + 0.04 * (high - low))
    ax.plot(limits, limits, color=style.GREY, linewidth=0.8, zorder=1)
    many = len(rows) > BARS_UP_TO
    if not many and np.isfinite(std).all():
        ax.errorbar(true, mean, yerr=std, fmt="none", ecolor=style.SKY, elinewidth=0.6, alpha=0.6, zorder=2)
    ax.plot(
        true,
        mean,
        linestyle="none",
        marker="o",
        markersize=2.4 if many else 3,
        markeredgewidth=0,
        color=style.BLUE,
        alpha=0.35 if many else 0.7,
        rasterized=len(rows) > 4000,
        zorder=3,
    )
    if flagged.any():
        ax.plot(
            true[flagged],
            mean[flagged],
            linestyle="none",
            marker="o",
            markersize=6,
            markerfacecolor="none",
            markeredgecolor=style.VERMILLION,
            markeredgewidth=1,
            label="label flagged as suspect",
            zorder=4,
        )
    ax.set(xlim=limits, ylim=limits, aspect="equal")
    from nestmat.evaluation.metrics import error_metrics

    folds = (rows["mean"] - rows["true"]).abs().groupby(rows["fold"]).mean()
    total = error_metrics(true, mean)
    end = f" {unit}" if unit else ""
    spread = f" ± {format_significant(float(np.std(folds)), 2)}" if len(folds) > 1 else ""
    below = f"RMSE {format_significant(total['rmse'])}{end}, R² {total['r2']:.3f}"
    text = f"MAE {format_significant(folds.mean())}{spread}{end}\n{below}"
    ax.text(0, 1.02, text.replace("-", "−"), transform=ax.transAxes, va="bottom", fontsize=7, linespacing=1.3)


FIGURES.register("parity")(
    kind.FigureKind(
        title="Predicted against true",
        caption=(
            "Each point is a row predicted by the ensemble that did not train on it; all folds of the first "
            "split are shown. The line is equality, bars are the predicted standard deviation. MAE is the "
            "mean ± standard deviation over folds; RMSE and R² are over all rows."
        ),
        section="results",
        draw=draw,
        required_tables=required_tables,
        available=kind.numbers,
        filters={"predictions": kind.ENSEMBLE},
    )
)
