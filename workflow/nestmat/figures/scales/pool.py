"""Search in a pool: the best label against the labels seen, and how many it took to find the best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nestmat.config.study import Study
from nestmat.figures import kind, style
from nestmat.figures.registry import FIGURES
from nestmat.labels.scales import Labels

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RANDOM = "random"
HEIGHT_OF_CURVES, HEIGHT_OF_ROW = 3.0, 0.19


def available(study: Study, scale: str) -> bool:
    """Whether the scale's rows are searched."""
    return study.scales[scale].pool is not None


def required_tables(study: Study, scale: str) -> kind.TablePaths:
    """The searches, the labels they saw, and units."""
    return {
        "pool": [f"pool/{scale}.parquet"],
        "order": [f"pool/{scale}.order.parquet"],
        "features": [kind.features(scale)],
    }


def draw(frames: Mapping[str, pd.DataFrame], labels: Labels) -> Figure:
    """A panel of curves a way of searching, and below them a box for each search.

    Args:
        frames: ``pool`` and ``order`` with the columns of `nestmat.search.pool.trials`, and ``published``.
        labels: Names and units.
    """
    from matplotlib.figure import Figure

    config = labels.config.pool
    assert config is not None
    names = [*config.representations, RANDOM]
    colours = {name: style.CYCLE[k % len(style.CYCLE)] for k, name in enumerate(config.representations)}
    colours[RANDOM] = style.GREY
    rows = list(frames["pool"].groupby(["representation", "way", "batch"], sort=False))
    rows.sort(key=lambda row: names.index(str(row[0][0])))
    heights = [HEIGHT_OF_CURVES, 0.5 + HEIGHT_OF_ROW * (len(rows) + 0.8 * len(names))]
    figure = Figure(figsize=(style.WIDTH, sum(heights)), layout="constrained")
    settings = [("published", 1)] * config.as_published + [("sound", config.batches[0])]
    # The curves are shown from the start rows to where almost every search has ended.
    searched = frames["pool"][frames["pool"]["way"].isin([setting for setting, _ in settings])]
    reach = int(searched["start"].iloc[0]), int(searched["seen"].quantile(0.98))
    grid = figure.add_gridspec(2, len(settings), height_ratios=heights)
    first = None
    for place, setting in enumerate(settings):
        ax = figure.add_subplot(grid[0, place], sharey=first)
        first = first or ax
        _curves(ax, frames["order"], setting, reach, colours, labels)
    assert first is not None
    first.set_ylabel(labels.axis(config.target, "Best", characters=36))
    _boxes(figure.add_subplot(grid[1, :]), rows, frames["published"], colours)
    style.legend_below(figure, figure.axes)
    return figure


def _curves(
    ax: Axes,
    order: pd.DataFrame,
    setting: tuple[str, int],
    reach: tuple[int, int],
    colours: Mapping[str, str],
    labels: Labels,
) -> None:
    """Median and quartiles over trials of the best label seen so far."""
    from nestmat.evaluation.pool import acquisition_label

    config = labels.config.pool
    assert config is not None
    first, last = reach
    for name, colour in colours.items():
        rows = order[order["representation"] == name]
        if name != RANDOM:
            rows = rows[(rows["way"] == setting[0]) & (rows["batch"] == setting[1])]
        wide = rows.pivot(index="place", columns="trial", values="value").reindex(range(last))
        best = wide.cummax() if config.goal == "maximise" else wide.cummin()
        best_label = best.ffill().iloc[first - 1 :]
        low, middle, high = best_label.quantile([0.25, 0.5, 0.75], axis=1).to_numpy()
        labels_seen = best_label.index.to_numpy() + 1
        ax.fill_between(labels_seen, low, high, color=colour, alpha=0.1, linewidth=0)
        line = "--" if name == RANDOM else "-"
        ax.plot(labels_seen, middle, line, color=colour, label=labels.representation(name))
    words = acquisition_label(*setting)
    ax.set_title(words[:1].upper() + words[1:])
    ax.set_xlabel("Labels seen")


def _boxes(ax: Axes, rows: list, published: pd.DataFrame, colours: Mapping[str, str]) -> None:
    """Quartiles of the share seen, 5 % and 95 %, means, and published means."""
    from nestmat.evaluation.pool import acquisition_label

    published_means = published[published["metric"] == "pool_mean"].set_index("model")["value"]
    y, before, ticks = 0.0, None, []
    for (name, setting, batch), trials in rows:
        y -= 1.0 if name == before else 1.8
        before = name
        share = 100 * trials["share"]
        ax.boxplot(
            [share],
            positions=[y],
            widths=0.6,
            orientation="horizontal",
            whis=(5, 95),
            showfliers=False,
            patch_artist=True,
            boxprops={"facecolor": colours[name], "alpha": 0.35, "linewidth": 0},
            medianprops={"color": colours[name], "linewidth": 1.6},
            whiskerprops={"color": colours[name], "linewidth": 0.8},
            capprops={"color": colours[name], "linewidth": 0.8},
        )
        ax.plot(share.mean(), y, "o", markersize=3.2, color=style.INK, label="mean")
        if setting in ("published", RANDOM) and name in published_means:
            ax.plot(published_means[name], y, markersize=4.5, label="published mean", **style.PUBLISHED)
        ticks.append((y, acquisition_label(setting, batch)))
    ax.set_yticks(*zip(*ticks, strict=True))
    ax.set_ylim(y - 0.8, ticks[0][0] + 0.8)
    ax.grid(axis="y", visible=False)
    ax.set_xlim(left=0)
    ax.set_xlabel("Part of the pool seen until the best row is found (%)")


FIGURES.register("pool")(
    kind.FigureKind(
        title="Search in the pool",
        caption=(
            "Above: the best label against the number of labels seen, start rows included: median over "
            "searches from different start rows, with a band from the first to the third quartile. Below: "
            "how much of the pool is seen until the best row is found; boxes are quartiles, whiskers reach "
            "from 5 to 95 %, dots are means, hollow diamonds published means. Searches that did not find the "
            "best row count with all that they saw."
        ),
        section="search",
        draw=draw,
        required_tables=required_tables,
        available=available,
    )
)
