"""The candidates to go on with: what they are made of, and how they compare with calculations."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from nestmat.config.spaces import Simplex
from nestmat.config.study import Study
from nestmat.figures import kind, style
from nestmat.figures.problems import front
from nestmat.figures.registry import FIGURES
from nestmat.labels import comparisons
from nestmat.labels.numbers import format_significant
from nestmat.labels.problems import DesignLabels
from nestmat.labels.text import lower_first

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


MOST_COLUMNS = 16
"""Species up to which each has a column; of more only those that occur."""


def listed(study: Study, problem: str) -> bool:
    """Whether the problem has a shortlist of compositions."""
    config = study.search[problem]
    return config.shortlist is not None and (
        config.space.sites is not None or config.space.elements is not None
    )


def shortlist_tables(study: Study, problem: str) -> kind.TablePaths:
    """The shortlist."""
    return {"shortlist": [f"search/{problem}/shortlist.parquet"]}


def verified(study: Study, problem: str) -> bool:
    """Whether the candidates are compared with calculations."""
    verify = study.search[problem].verify
    return verify is not None and verify.file is not None


def verification_tables(study: Study, problem: str) -> kind.TablePaths:
    """Predictions and calculations."""
    return {"verified": [f"search/{problem}/verified.parquet"]}


def draw_map(frames: Mapping[str, pd.DataFrame], labels: DesignLabels) -> Figure:
    """A row a candidate, a column a species of the space by site, and the predictions next to them.

    Args:
        frames: ``shortlist``.
        labels: Names and units.
    """
    rows = frames["shortlist"]
    space = labels.problem_config.space
    sites: dict[str, Simplex] = {str(site): shares for site, shares in (space.sites or {}).items()}
    if space.elements is not None:
        sites[""] = space.elements
    columns = [(site, name) for site, shares in sites.items() for name in shares.species]
    values = rows[[f"{site}:{name}" if site else name for site, name in columns]].to_numpy(np.float64)
    if len(columns) > MOST_COLUMNS:
        used = np.flatnonzero((values > 0).any(axis=0))
        columns, values = [columns[place] for place in used], values[:, used]
    figure = style.matrix(
        values,
        rows=[f"{rank}  {formula}" for rank, formula in zip(rows["rank"], rows["formula"], strict=True)],
        columns=[name for _, name in columns],
        across="Species" if "" in sites else f"Species on sites {', '.join(sites)}",
        bar="",
        printed=values > 0,
    )
    ax = figure.axes[0]
    for place in range(1, len(columns)):
        if columns[place][0] != columns[place - 1][0]:
            ax.axvline(place - 0.5, color=style.INK, linewidth=0.8)
    _annotate_rows(ax, rows, labels)
    return figure


def _annotate_rows(ax: Axes, rows: pd.DataFrame, labels: DesignLabels) -> None:
    """Write the first target and the quantity across it at the right of each row."""
    shown = [labels.problem_config.targets[0].quantity, front.across(labels.study, labels.problem)]
    quantities = [quantity for quantity in shown if quantity]
    lines = [
        "   ".join(_format_prediction(row, quantity, labels.unit(quantity)) for quantity in quantities)
        for row in rows.to_dict("records")
    ]
    right = ax.secondary_yaxis("right")
    right.set_yticks(range(len(lines)), lines)
    right.tick_params(length=0, labelsize=7)
    right.spines["right"].set_visible(False)
    names = lower_first(", ".join(labels.name(quantity) for quantity in quantities))
    ax.annotate(
        textwrap.fill(f"Predicted {names}", 38),
        *((1, 1), (6, 4)),
        xycoords="axes fraction",
        textcoords="offset points",
        va="bottom",
        fontsize=7,
    )


def _format_prediction(row: dict, quantity: str, unit: str) -> str:
    from nestmat.search.candidate_table import mean_column, std_column

    std, text = row[std_column(quantity)], format_significant(row[mean_column(quantity)], 4)
    spread = f" ± {std:.{len(text.partition('.')[2])}f}" if np.isfinite(std) else ""
    return f"{text}{spread} {unit}".rstrip()


def draw_verification(frames: Mapping[str, pd.DataFrame], labels: DesignLabels) -> Figure:
    """A panel a quantity: predicted against calculated.

    Args:
        frames: ``verified``, with the columns of `nestmat.design.verification.VERIFIED`.
        labels: Names and units.
    """
    verified = frames["verified"]
    quantities = list(dict.fromkeys(verified["quantity"]))
    figure, axes = style.grid_of(
        len(quantities), 3, height=2.7, width=max(3.4, 2.4 * min(3, len(quantities)))
    )
    for ax, quantity in zip(axes, quantities, strict=True):
        _draw_calculated(ax, verified[verified["quantity"] == quantity])
        ax.set_xlabel(labels.axis(quantity, "Calculated", characters=30))
        ax.set_ylabel(labels.axis(quantity, "Predicted", characters=30))
    style.legend_below(figure, axes)
    return figure


def _draw_calculated(ax: Axes, rows: pd.DataFrame) -> None:
    """One quantity, those trained on hollow; error and coverage of the others are written in a corner."""
    trained_on = rows["trained_on"].to_numpy(bool)
    for rows_of_kind, name, face in (
        (~trained_on, "not trained on", style.BLUE),
        (trained_on, "trained on", "white"),
    ):
        if rows_of_kind.any():
            ax.errorbar(
                rows["calculated"][rows_of_kind],
                rows["mean"][rows_of_kind],
                yerr=rows["std"][rows_of_kind],
                fmt="o",
                color=style.BLUE,
                markerfacecolor=face,
                markersize=4.5,
                elinewidth=0.9,
                label=f"{name}, ± 1 σ",
            )
    ends = [
        min(rows["calculated"].min(), (rows["mean"] - rows["std"]).min()),
        max(rows["calculated"].max(), (rows["mean"] + rows["std"]).max()),
    ]
    ax.plot(ends, ends, color=style.INK, linewidth=0.8, zorder=0)
    room = 0.32 * (ends[1] - ends[0])
    ax.set_ylim(ends[0] - 0.1 * room, ends[1] + room)
    error, inside, count = comparisons.verification_errors(rows)
    text = f"MAE {format_significant(error)} {rows['unit'].iloc[0]}".rstrip()
    style.note(ax, f"{text}\n{inside} of {count} within 2 σ")


FIGURES.register("shortlist_map")(
    kind.FigureKind(
        title="What the shortlist is made of",
        caption=(
            "A row a candidate with its rank, a column a species of the design space by site, of many only "
            "those that occur; the shade is its share, also printed. At the right what is predicted of it, "
            "with one standard deviation."
        ),
        section="shortlist",
        draw=draw_map,
        required_tables=shortlist_tables,
        available=listed,
        subject="problem",
    )
)
FIGURES.register("verification")(
    kind.FigureKind(
        title="Predicted and calculated",
        caption=(
            "Predictions of the members that were trained on every material against density-functional "
            "theory, for the best materials of the space that fit into a small cell, or for designed cells "
            "that are far from each other; bars are one predicted standard deviation, the line is equality. "
            "Hollow: materials that the members were trained on. Mean absolute error (MAE) and the share "
            "within two standard deviations are of the others, where there are any."
        ),
        section="verification",
        draw=draw_verification,
        required_tables=verification_tables,
        available=verified,
        subject="problem",
    )
)
