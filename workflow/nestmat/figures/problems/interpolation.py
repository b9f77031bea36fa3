"""Paths from one material to another: their compositions, and what is predicted along them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nestmat.config.study import Study
from nestmat.figures import kind, style
from nestmat.figures.problems import methods
from nestmat.figures.registry import FIGURES
from nestmat.labels.problems import PATHS, DesignLabels, judge_name, order_judges

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def available(study: Study, problem: str) -> bool:
    """Whether the problem names two materials to go between."""
    return study.search[problem].interpolate is not None


def required_tables(study: Study, problem: str) -> kind.TablePaths:
    """Materials along the ways."""
    return {"points": [f"search/{problem}/interpolation.parquet"]}


def draw(frames: Mapping[str, pd.DataFrame], labels: DesignLabels) -> Figure:
    """A column a path: above the shares of each site, stacked; below the first target by each predictor.

    Args:
        frames: ``points``.
        labels: Names and units.
    """
    from nestmat.search.candidate_table import MODEL, CandidateTable, mean_column

    points, config = frames["points"], labels.problem_config.interpolate
    assert config is not None
    space = labels.problem_config.space
    sites = {str(site): shares.species for site, shares in (space.sites or {}).items()}
    if space.elements is not None:
        sites[""] = space.elements.species
    colours = _colours(points, sites)
    paths = [path for path in PATHS if path in set(points["path"])]
    quantity = labels.problem_config.targets[0].quantity
    judges = [MODEL, *order_judges(CandidateTable(points).judges_of(quantity))]
    mean_columns = {name: mean_column(quantity, name) for name in judges}
    figure, axes = style.panels(len(sites) + 1, len(paths), height=2.2, sharex=True)
    for place, path in enumerate(paths):
        materials = points[points["path"] == path].sort_values("position")
        for ax, (site, species) in zip(axes[:, place], sites.items(), strict=False):
            _stack(ax, materials, site, species, colours)
        _draw_target(axes[-1, place], materials, mean_columns, labels)
        axes[0, place].set_title(PATHS[path])
        axes[-1, place].set_xlabel(" → ".join(config.between))
    for ax, site in zip(axes[:, 0], sites, strict=False):
        ax.set_ylabel(f"Site {site} (%)" if site else "Composition (at%)")
    axes[-1, 0].set_ylabel(labels.axis(quantity, characters=24))
    low, high = (pick(ax.get_ylim()[k] for ax in axes[-1]) for k, pick in ((0, min), (1, max)))
    for ax in axes[-1]:
        ax.set_ylim((0, 1.03) if labels.classes(quantity) else (low, high))
    style.legend_below(figure, list(axes.flat), columns=6)
    return figure


def _colours(points: pd.DataFrame, sites: Mapping[str, list[str]]) -> dict[str, str]:
    """A colour for each column that occurs."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    columns = [f"{site}:{name}" if site else name for site, species in sites.items() for name in species]
    used = [column for column in columns if (points[column] > 0).any()]
    palette = style.CYCLE
    if len(used) > len(palette):
        palette = [to_hex(colormaps["tab20"](k)) for k in range(20)]
    return {column: palette[place % len(palette)] for place, column in enumerate(used)}


def _stack(ax: Axes, rows: pd.DataFrame, site: str, species: list[str], colours: Mapping[str, str]) -> None:
    """Shares of one site, in percent."""
    columns = {f"{site}:{name}" if site else name: name for name in species}
    shown = [column for column in columns if column in colours]
    ax.stackplot(
        rows["position"],
        [100 * rows[column] for column in shown],
        colors=[colours[column] for column in shown],
        labels=[columns[column] for column in shown],
        linewidth=0,
    )
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 100)
    ax.grid(visible=False)


def _draw_target(ax: Axes, rows: pd.DataFrame, columns: Mapping[str, str], labels: DesignLabels) -> None:
    """The first target along the way, and what is enough of it."""
    for name, column in columns.items():
        look = {**methods.OF_JUDGE[name], "markersize": 3, "linewidth": 1.1}
        ax.plot(rows["position"], rows[column], label=judge_name(name), **look)
    enough = labels.problem_config.targets[0].enough
    if enough is not None:
        ax.axhline(enough, color=style.GREY, linewidth=0.8, linestyle=":")


FIGURES.register("interpolation")(
    kind.FigureKind(
        title="Ways between two materials",
        caption=(
            "From the left end to the right: by a straight line in the latents of the searched model, by "
            "turning one vector of latents into the other (slerp), and by mixing the two as they are. Above: "
            "what each material on the way is made of; those of the latents keep the rules of the design "
            "space. Below: the first target as the searched model predicts it, hollow, and as the judges do; "
            "dotted: what is enough."
        ),
        section="paths",
        draw=draw,
        required_tables=required_tables,
        available=available,
        subject="problem",
    )
)
