"""Validation error against the number of latents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nestmat.config.study import Study
from nestmat.figures import kind, style
from nestmat.figures.registry import FIGURES
from nestmat.labels import comparisons
from nestmat.labels.scales import Labels
from nestmat.labels.text import lower_first, prettify

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def available(study: Study, scale: str) -> bool:
    """Whether latent sizes are swept."""
    return study.scales[scale].sweep is not None


def required_tables(study: Study, scale: str) -> kind.TablePaths:
    """The sweep and units."""
    return {"sweeps": [f"sweeps/{scale}.parquet"], "features": [kind.features(scale)]}


def draw(frames: Mapping[str, pd.DataFrame], labels: Labels) -> Figure:
    """A panel a target with the published sweep, and one for the losses of the heads that decode.

    Args:
        frames: ``sweeps`` (latents, target, repeat, fold, metric, value) and ``published``.
        labels: Names and units.
    """
    sweep = labels.config.sweep
    assert sweep is not None
    sweeps_table = frames["sweeps"]
    sweeps_table = sweeps_table[sweeps_table["fold"] >= 0]
    chosen = {name: comparisons.compared_by(bool(labels.classes(name)))[0] for name in labels.config.targets}
    errors = sweeps_table[sweeps_table["metric"] == sweeps_table["target"].map(chosen)]
    losses = sweeps_table[
        (sweeps_table["metric"] == "loss") & ~sweeps_table["target"].isin(labels.config.targets)
    ]
    published = frames["published"]
    published = published[
        (published["model"] == sweep.model)
        & (published["protocol"] == sweep.protocol)
        & (published["split"] == "validation")
        & (published["metric"] == published["target"].map(chosen))
        & published["latents"].notna()
    ]
    targets = [target for target in labels.config.targets if target in set(errors["target"])]
    count = len(targets) + (not losses.empty)
    figure, axes = style.grid_of(count, 2, height=2.9, width=style.WIDTH if count > 1 else 4.8)
    for ax, target in zip(axes, targets, strict=False):
        _line(ax, errors[errors["target"] == target], style.BLUE, labels.model(sweep.model))
        published_errors = published[published["target"] == target].sort_values("latents")
        if not published_errors.empty:
            ax.plot(
                published_errors["latents"],
                published_errors["value"],
                markersize=4,
                label="published",
                **style.PUBLISHED,
            )
        name = lower_first(comparisons.NAMES[chosen[target]])
        ax.set_ylabel(labels.axis(target, f"Validation {name} of", characters=36))
        ax.set_title(labels.protocol(sweep.protocol))
    for colour, (head, rows) in zip(style.CYCLE[1:], losses.groupby("target", sort=False), strict=False):
        _line(axes[-1], rows, colour, f"{prettify(str(head))}, decoded")
        axes[-1].set_ylabel("Validation loss of the head")
    for ax in axes:
        used = labels.config.models[sweep.model].specification.encoder.latents
        ax.axvline(used, color=style.GREY, linewidth=0.8, linestyle=":", label=f"in use: {used}")
        if sweep.known_dimensions is not None:
            ax.axvline(
                sweep.known_dimensions,
                color=style.ORANGE,
                linewidth=0.8,
                label=f"known: {sweep.known_dimensions}",
            )
        style.whole_numbers(ax)
        ax.set_xlabel("Latent variables")
    errors_of = [ax for ax, target in zip(axes, targets, strict=False) if not labels.classes(target)]
    for ax in [*errors_of, *axes[len(targets) :]]:
        ax.set_ylim(bottom=0)
    style.legend_below(figure, axes)
    return figure


def _line(ax: Axes, rows: pd.DataFrame, colour: str, name: str) -> None:
    values = rows.groupby("latents")["value"]
    mean, sd = values.mean(), values.std(ddof=0)
    ax.fill_between(mean.index, mean - sd, mean + sd, color=colour, alpha=0.15, linewidth=0)
    ax.plot(mean.index, mean, "o-", color=colour, label=name)


FIGURES.register("sweep")(
    kind.FigureKind(
        title="How many latents are needed",
        caption=(
            "Validation error against the number of latent variables: mean over folds, with a band of one "
            "standard deviation, and the losses (without unit) of the heads that decode. The dotted line "
            "is the size in use. Sizes that differ by less than the band cannot be distinguished."
        ),
        section="training",
        draw=draw,
        required_tables=required_tables,
        available=available,
    )
)
