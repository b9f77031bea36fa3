"""Which inputs move a prediction."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from nestmat.config import Study
from nestmat.figures import kind, style


def available(study: Study, scale: str) -> bool:
    """Whether a model of the scale that predicts something is interpreted."""
    return study.scales[scale].interpret is not None and bool(study.scales[scale].targets)


def needs(study: Study, scale: str) -> kind.Needs:
    """Shapley values of the interpreted model."""
    return {"shapley": [f"interpretation/{scale}.shapley.parquet"], "features": [kind.features(scale)]}


def draw(frames: Mapping[str, pd.DataFrame], labels: style.Labels) -> Figure:
    """A panel a target and set of inputs; the most important input on top.

    Args:
        frames: ``shapley``: output, input, importance (mean |value| over rows), spread (over members).
        labels: Names and units.
    """
    found = frames["shapley"]
    found = found[found["output"].isin(labels.config.targets)]
    cells = [
        (output, method, rows) for (output, method), rows in found.groupby(["output", "method"], sort=False)
    ]
    most = max(len(rows) for _, _, rows in cells)
    figure, axes = style.grid_of(
        len(cells), 2, height=0.9 + 0.2 * most, width=style.WIDTH if len(cells) > 1 else 5
    )
    for ax, (output, method, rows) in zip(axes, cells, strict=True):
        rows = rows.sort_values("importance")
        ax.barh(
            range(len(rows)),
            rows["importance"],
            xerr=rows["spread"],
            color=style.BLUE,
            height=0.65,
            error_kw={"elinewidth": 0.8, "ecolor": style.INK},
        )
        ax.set_yticks(range(len(rows)), [labels.name(name) for name in rows["input"]])
        ax.set_xlim(left=0)
        ax.set_ylim(-0.7, len(rows) - 0.3)
        ax.grid(axis="y", visible=False)
        ax.set_title(labels.name(output))
        what = "Mean |Shapley value|" if "shapley" in method else "Increase of the MAE when shuffled"
        ax.set_xlabel(style.with_unit(what, labels.unit(output)))
    return figure


KIND = kind.Kind(
    title="Which inputs move the prediction",
    caption=(
        "Mean absolute Shapley value of each input or group of inputs, in the unit of the target; bars span "
        "± one standard deviation over members."
    ),
    section="interpretation",
    draw=draw,
    needs=needs,
    available=available,
)
