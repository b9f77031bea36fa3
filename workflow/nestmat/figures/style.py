"""The look of every figure: palette, panels, and labels that always bear the unit."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from nestmat import seals
from nestmat.files import replacing

# The rules ask this package which figures there are: matplotlib and pandas are loaded only to draw them.
if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


SHEET = Path(__file__).with_name("nestmat.mplstyle")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
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
    for unused in flat[count:]:
        unused.set_axis_off()
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
    entries = {}
    for ax in axes:
        handles, names = ax.get_legend_handles_labels()
        entries.update(
            {name: handle for handle, name in zip(handles, names, strict=True) if name not in entries}
        )
    if entries:
        figure.legend(
            list(entries.values()),
            list(entries),
            loc="outside lower center",
            ncols=min(columns, len(entries)),
        )


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
    """Context in which figures are made and written: the style sheet, over any other settings."""
    import matplotlib

    return matplotlib.rc_context(fname=SHEET)


def escape_text(figure: Figure) -> None:
    r"""Let texts of a figure that matplotlib's mathtext cannot read be shown as they are written.

    Names, units and titles are a user's: of ``a $\textrm{f}$`` no figure could be drawn.

    Args:
        figure: The finished figure, whose texts are no longer changed but for their place.
    """
    from matplotlib.text import Text

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            # Makes the texts of the ticks, which are else made as the figure is drawn.
            axis.get_ticklabels()
    for text in cast("list[Text]", figure.findobj(Text)):
        if not is_mathtext(text.get_text()):
            text.set_parse_math(False)


def is_mathtext(text: str) -> bool:
    r"""Whether matplotlib's mathtext can read every line of a text; a line without ``$`` needs no reading.

    Example:
        >>> is_mathtext("z$_{3}$"), is_mathtext("costs 5 $"), is_mathtext(r"$\textrm{f}$")
        (True, True, False)
    """
    from matplotlib.cbook import is_math_text
    from matplotlib.mathtext import MathTextParser

    parser = MathTextParser("path")
    for line in text.split("\n"):
        if is_math_text(line):
            try:
                parser.parse(line)
            except (ValueError, RecursionError):
                return False
    return True


def write_svg(figure: Figure, path: str | Path, title: str) -> None:
    """Write a figure as SVG, whole or not at all, the same bytes on every run."""
    escape_text(figure)
    with replacing(path) as aside, sheet(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(aside, format="svg", metadata={"Date": None, "Title": title})
        # Texts are in comments of the file, and XML holds no control characters.
        content = aside.read_bytes()
        if _CONTROL.search(content):
            aside.write_bytes(_CONTROL.sub(b"", content))
        seals.append(aside, ".svg")
