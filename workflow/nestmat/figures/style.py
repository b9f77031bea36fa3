"""The look of every figure: palette, panels, and labels that always bear the unit."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nestmat.config.datasets import ColumnSpec
from nestmat.config.scales import Scale
from nestmat.config.study import Study
from nestmat.files import replacing

# The rules ask this package which figures there are: matplotlib and pandas are loaded only to draw them.
if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from nestmat.tables import Column

SHEET = Path(__file__).with_name("nestmat.mplstyle")
WIDTH = 7.2
"""Width of a figure in inches: the text column of the report."""

# Okabe and Ito's colours, which readers with any common colour-vision deficiency tell apart.
BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
)
BROWN, GREY, INK = "#8C6D31", "#777777", "#222222"
CYCLE = [BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BROWN, "#555555"]
PUBLISHED: dict[str, Any] = {
    "marker": "D",
    "markerfacecolor": "white",
    "markeredgecolor": INK,
    "linestyle": "none",
}
"""Marker of a published value: hollow, as nothing measured here is."""


@dataclass(frozen=True)
class Labels:
    """Names for people of what the tables hold.

    Attributes:
        study: The study.
        scale: Name of the scale in hand.
        columns: Columns of the scale's tables by name, with unit and description.
    """

    study: Study
    scale: str
    columns: Mapping[str, Column | ColumnSpec] = field(default_factory=dict)

    @property
    def config(self) -> Scale:
        """Configuration of the scale in hand."""
        return self.study.scales[self.scale]

    def title(self, scale: str | None = None) -> str:
        """Name of a scale."""
        name = scale or self.scale
        return self.study.scales[name].title or prettify(name)

    def model(self, name: str) -> str:
        """Name of a model, a baseline or the recommended predictor."""
        entry = self.config.models.get(name) or self.config.baselines.get(name)
        return (entry.title if entry else "") or prettify(name)

    def representation(self, name: str) -> str:
        """Name of a description of the rows of a pool, or of the random order."""
        entry = self.config.pool.representations.get(name) if self.config.pool else None
        return (entry.title if entry else "") or prettify(name)

    def protocol(self, name: str) -> str:
        """Name of a protocol; a publication's own split is always called so."""
        split = self.config.splits.get(name)
        if split is not None and split.kind == "leave_one_out":
            return f"Leave one {word(str(split.column))} out"
        if split is not None and split.published and "published" not in name:
            return f"{prettify(name)} (published split)"
        return {"published": "Published split", "strict": "Strict"}.get(name, prettify(name))

    def name(self, column: str) -> str:
        """Name of a column: its description up to a comma where that is short, else its own name."""
        about = self.columns.get(column)
        text = re.split("[;,]", about.description)[0].rstrip(". ") if about else ""
        if text and len(text) <= 48:
            return text[:1].upper() + text[1:]
        parent, _, latent = column.partition(" ")
        if parent in self.study.scales and latent[:1] == "z":
            return f"{self.title(parent)}, {symbol(latent)}"
        return column

    def unit(self, column: str) -> str:
        """Unit of a column; empty for a pure number."""
        return self.columns[column].unit if column in self.columns else ""

    def classes(self, column: str) -> list[str]:
        """Names of the classes of a column; empty for a number."""
        return list((self.columns[column].classes or ()) if column in self.columns else ())

    def latent(self, name: str) -> str:
        """Symbol of a latent of the interpreted model; behind its z, one that is semi-supervised has y."""
        assert self.config.interpret is not None
        model = self.config.models[self.config.interpret.model].specification
        place = int(name.removeprefix("z")) - model.encoder.latents
        targets = [head for head in model.heads if head in self.config.targets]
        if model.semi_supervised is None or place < 0:
            return symbol(name)
        return "y" if len(targets) == 1 else f"y, {lower_first(self.name(targets[place]))}"

    def axis(self, column: str, what: str = "", characters: int = 60) -> str:
        """Label of an axis, with its unit: ``Band gap (eV)``, or ``Measured band gap (eV)``.

        Args:
            column: The column on the axis.
            what: Put before the name.
            characters: Longest line; a longer label is broken between words.
        """
        name = f"{what} {lower_first(self.name(column))}" if what else self.name(column)
        return textwrap.fill(with_unit(name, self.unit(column)), characters)


def prettify(name: str) -> str:
    """A key as words: ``random_forest`` becomes ``Random forest``; names with capitals stay as written."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:] if words.islower() else words


def lower_first(text: str) -> str:
    """The text inside a sentence; an abbreviation such as PCE keeps its capitals."""
    return text if len(text) > 1 and text[1].isupper() else text[:1].lower() + text[1:]


def word(name: str) -> str:
    """A key inside a sentence: ``SOLVENT`` becomes ``solvent``, the abbreviation ``ETL`` stays."""
    return name.replace("_", " ").lower() if name.isupper() and len(name) > 4 else name.replace("_", " ")


def with_unit(name: str, unit: str) -> str:
    """``name (unit)``, or the name alone for a pure number; ``gap (PBE)`` in eV becomes ``gap, PBE (eV)``."""
    if not unit:
        return name
    plain = re.sub(r" \(([^()]*)\)$", r", \1", name)
    return f"{plain} ({unit})"


def number(value: float, digits: int = 3) -> str:
    """A number with ``digits`` significant figures and never an exponent where people read none."""
    if not np.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    places = digits - 1 - int(np.floor(np.log10(abs(value))))
    if places > 7 or places < -4:
        return f"{value:.{digits - 1}e}"
    return f"{value:.{max(places, 0)}f}".replace("-", "−")


def panels(
    rows: int,
    columns: int,
    *,
    height: float,
    width: float = WIDTH,
    sharex: bool = False,
    sharey: bool = False,
) -> tuple[Figure, np.ndarray]:
    """A figure with a grid of axes, always two-dimensional, each row ``height`` inches high."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey)
    return figure, axes


def grid_of(count: int, columns: int, *, height: float, width: float = WIDTH) -> tuple[Figure, list[Axes]]:
    """A figure with ``count`` axes in rows of ``columns``; cells left over are empty."""
    columns = min(columns, count)
    figure, axes = panels(-(-count // columns), columns, height=height, width=width)
    flat = list(axes.flat)
    for spare in flat[count:]:
        spare.set_axis_off()
    return figure, flat[:count]


def note(axes: Axes, text: str, corner: str = "upper left", size: float = 7.5) -> None:
    """Write ``text`` into a corner of the axes on a white ground."""
    vertical, horizontal = corner.split()
    axes.text(
        0.03 if horizontal == "left" else 0.97,
        0.97 if vertical == "upper" else 0.03,
        text,
        transform=axes.transAxes,
        ha=horizontal,
        va="top" if vertical == "upper" else "bottom",
        fontsize=size,
        linespacing=1.35,
        bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.5},
        zorder=10,
    )


def legend_below(figure: Figure, axes: Sequence[Axes], columns: int = 4) -> None:
    """One legend for all panels, below them, each entry once, in the order it was first drawn."""
    found = {}
    for ax in axes:
        handles, names = ax.get_legend_handles_labels()
        found.update({name: handle for handle, name in zip(handles, names, strict=True) if name not in found})
    if found:
        figure.legend(
            list(found.values()), list(found), loc="outside lower center", ncols=min(columns, len(found))
        )


def symbol(latent: str) -> str:
    """``z3`` as it is typeset."""
    return f"z$_{{{latent.removeprefix('z')}}}$"


def matrix(
    values: np.ndarray,
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    across: str,
    bar: str,
    printed: np.ndarray,
    most: float | None = 1,
) -> Figure:
    """A figure of one matrix with a colour bar.

    Args:
        values: Numbers from 0 up, (rows, columns); NaN is left white.
        rows: Names of the rows.
        columns: Names of the columns.
        across: Label of the columns.
        bar: Label of the colour bar; none is drawn where it is empty.
        printed: Cells whose number is printed, (rows, columns).
        most: Value of the darkest colour; the largest value by default.
    """
    names = 0.075 * max(map(len, rows))
    width = min(WIDTH, max(4.4, 1.4 + names + 0.42 * len(columns)))
    figure, axes = panels(1, 1, height=0.8 + 0.25 * max(4, len(rows)), width=width)
    ax, top = axes[0, 0], most or float(np.nanmax(values))
    image = ax.imshow(values, vmin=0, vmax=top, cmap="Blues", aspect="auto")
    ax.grid(visible=False)
    for side in ax.spines.values():
        side.set_visible(False)
    ax.tick_params(length=0)
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value) and printed[i, j]:
            colour = "white" if value > 0.6 * top else INK
            text = f"{value:.2f}".removeprefix("0").replace("1.00", "1")
            ax.text(j, i, text, ha="center", va="center", fontsize=6.5, color=colour)
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.set_xlabel(across)
    if bar:
        scale = figure.colorbar(image, ax=ax, aspect=22)
        scale.set_label(bar)
        scale.outline.set_visible(False)
    return figure


def marker(name: str, **options: Any) -> Artist:
    """An entry of a legend that stands for points."""
    from matplotlib.lines import Line2D

    return Line2D([], [], label=name, **{"marker": "o", "linestyle": "none", **options})


def patch(name: str, colour: str) -> Artist:
    """An entry of a legend that stands for areas."""
    from matplotlib.patches import Patch

    return Patch(color=colour, alpha=0.5, label=name)


def whole_numbers(axes: Axes) -> None:
    """Put ticks of the horizontal axis at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def sheet() -> Any:
    """Context in which figures are made and written: the style sheet, whatever else is set."""
    import matplotlib

    return matplotlib.rc_context(fname=SHEET)


def write_svg(figure: Figure, path: str | Path, title: str) -> None:
    """Write a figure as SVG, whole or not at all, the same bytes on every run."""
    with replacing(path) as aside, sheet():
        figure.savefig(aside, format="svg", metadata={"Date": None, "Title": title})
