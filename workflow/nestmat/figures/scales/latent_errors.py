"""How far compositions, targets and latents of a semi-supervised model are off, by the number of elements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from nestmat.config.study import Study
from nestmat.data.registry import resolve
from nestmat.figures import kind, style
from nestmat.figures.registry import FIGURES
from nestmat.labels.numbers import format_significant
from nestmat.labels.scales import Labels

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

MOST = 8
"""Materials of so many elements or more are shown together."""
BINS = 24


def available(study: Study, scale: str) -> bool:
    """Whether the interpreted model is semi-supervised, and materials have formulas."""
    spec = resolve(study.datasets[study.scales[scale].dataset])
    return kind.conditional_model(study, scale) is not None and bool(spec.formula or spec.formula_template)


def required_tables(study: Study, scale: str) -> kind.TablePaths:
    """Errors of the interpreted model, its predictions, and formulas."""
    stem = kind.conditional_model(study, scale)
    return {
        "errors": [f"disentanglement/{stem}.errors.parquet"],
        "predictions": [f"predictions/{stem}.parquet"],
        "features": [kind.features(scale)],
    }


def draw(frames: Mapping[str, pd.DataFrame], labels: Labels) -> Figure:
    """Histograms of the composition, of every target and of z, stacked by the number of elements.

    Args:
        frames: ``errors``, ``predictions`` (validation rows, all repeats) and ``features`` (formulas).
        labels: Names and units.
    """
    from nestmat.materials.formulas import elements

    features, errors, predictions = frames["features"], frames["errors"], frames["predictions"]
    count = dict(zip(features["row_id"], map(len, elements(features["formula"])), strict=True))
    predictions = predictions[predictions["fold"] >= 0]
    cells = [("Composition: total variation (at%)", errors["row_id"], errors["total_variation"])]
    for target in labels.config.targets:
        of_target = predictions[predictions["target"] == target]
        names = labels.classes(target)
        label_of_axis = f"|probability − class| of {names[1]}" if names else labels.axis(target, "Error of")
        cells.append((label_of_axis, of_target["row_id"], (of_target["mean"] - of_target["true"]).abs()))
    cells.append(("Latents: mean |z′ − z|", errors["row_id"], errors["latent_error"]))
    figure, axes = style.grid_of(len(cells), 3, height=2.6)
    numbers = sorted({min(MOST, count[row]) for row in errors["row_id"]})
    # imported late, as all of matplotlib
    from matplotlib import colormaps

    colours = colormaps["viridis"](np.linspace(0.05, 0.95, len(numbers)))
    for ax, (label, rows, values) in zip(axes, cells, strict=True):
        groups = np.minimum(MOST, rows.map(count).to_numpy())
        value = values.to_numpy(np.float64)
        edges = np.linspace(0, max(value.max(), 1e-9), BINS + 1)
        ax.hist(
            [value[groups == number] for number in numbers],
            bins=list(edges),
            stacked=True,
            color=list(colours),
            label=[f"{number}{' or more' if number == MOST else ''}" for number in numbers],
        )
        ax.axvline(value.mean(), color=style.INK, linewidth=0.8, linestyle="--")
        style.note(
            ax,
            f"mean {format_significant(value.mean())}\nmedian {format_significant(np.median(value))}",
            "upper right",
        )
        ax.set_xlabel(label)
        ax.set_ylabel("Left-out rows")
        ax.set_xlim(left=0)
        ax.grid(axis="x", visible=False)
    style.legend_below(figure, axes, columns=len(numbers) + 1)
    figure.legends[0].set_title("Elements of the material")
    return figure


FIGURES.register("latent_errors")(
    kind.FigureKind(
        title="Errors of composition, target and latents",
        caption=(
            "Rows left out of training, of all repeats, by the number of elements: atoms that the decoder "
            "puts wrongly, given z (encoded without the label) and the predicted class; distance of the "
            "predicted probability from the class; and mean distance of z from z′, which is encoded again "
            "from the decoded composition with the same class. Dashed lines are means."
        ),
        section="results",
        draw=draw,
        required_tables=required_tables,
        available=available,
        filters={"errors": {"split": "validation"}, "predictions": kind.REPEATED},
    )
)
