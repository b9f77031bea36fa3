"""The latents z of a semi-supervised model in a plane: its rows by class, and families of alloys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from nestmat.config.study import Study
from nestmat.data.targets import class_targets
from nestmat.figures import kind, style
from nestmat.figures.registry import FIGURES
from nestmat.labels.scales import Labels
from nestmat.labels.text import latent_symbol

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FIRST = {"repeat": 0, "fold": 0, "seed": 0}
"""The member that is shown."""


def available(study: Study, scale: str) -> bool:
    """Whether the interpreted model is semi-supervised and predicts a class."""
    return kind.conditional_model(study, scale) is not None and bool(class_targets(study, scale))


def families_available(study: Study, scale: str) -> bool:
    """Whether families of alloys are encoded by such a model."""
    interpret = study.scales[scale].interpret
    shown = interpret is not None and interpret.families is not None
    return shown and kind.conditional_model(study, scale) is not None


def required_tables(study: Study, scale: str) -> kind.TablePaths:
    """Latents of the interpreted model, and the classes."""
    return {
        "latents": [f"latents/{kind.conditional_model(study, scale)}.parquet"],
        "features": [kind.features(scale)],
    }


def family_tables(study: Study, scale: str) -> kind.TablePaths:
    """The same, and the latents of the families."""
    return {**required_tables(study, scale), "families": [f"interpretation/{scale}.families.parquet"]}


def _plane(labels: Labels, latents: pd.DataFrame) -> tuple[list[str], list[str], np.ndarray, np.ndarray]:
    """Columns of z, names of the axes, and the mean and the axes (2, z) of the plane."""
    from nestmat.interpretation.embedding import principal_axes

    assert labels.config.interpret is not None
    model = labels.config.models[labels.config.interpret.model]
    columns = [f"z{k}" for k in range(model.specification.encoder.latents)]
    if len(columns) == 2:
        return columns, [latent_symbol(name) for name in columns], np.zeros(2), np.eye(2)
    z = latents.loc[latents["split"] == "train", columns].to_numpy()
    mean, axes, share = principal_axes(z)
    names = [f"Principal axis {k + 1} of z ({100 * part:.0f} %)" for k, part in enumerate(share)]
    return columns, names, mean, axes


def draw(frames: Mapping[str, pd.DataFrame], labels: Labels) -> Figure:
    """A row a class target: labelled rows, and rows left out.

    Args:
        frames: ``latents`` of the member that is shown, and ``features`` with the classes.
        labels: Names and classes.
    """
    latents, features = frames["latents"], frames["features"].set_index("row_id")
    columns, names, mean, axes = _plane(labels, latents)
    targets = [target for target in labels.config.targets if labels.classes(target)]
    figure, panels = style.panels(len(targets), 2, height=3.1, sharex=True, sharey=True)
    for row, target in zip(panels, targets, strict=True):
        for ax, split, title in zip(row, ("train", "validation"), ("Labelled", "Left out"), strict=True):
            part = latents[latents["split"] == split]
            x, y = axes @ (part[columns].to_numpy() - mean).T
            class_numbers = features.loc[part["row_id"], target].to_numpy()
            for number, (name, colour) in enumerate(
                zip(labels.classes(target), (style.VERMILLION, style.BLUE), strict=True)
            ):
                of_class = class_numbers == number
                _dots(ax, x[of_class], y[of_class], colour, name, size=8 if split == "train" else 14)
            several = f"{labels.name(target)}: " if len(targets) > 1 else ""
            ax.set_title(f"{several}{title} ({len(part)} rows)")
            ax.set_xlabel(names[0])
        row[0].set_ylabel(names[1])
    style.legend_below(figure, list(panels.flat))
    return figure


def draw_families(frames: Mapping[str, pd.DataFrame], labels: Labels) -> Figure:
    """The families over the labelled rows, in the same plane.

    Args:
        frames: ``latents``, and ``families``: family and latents.
        labels: Names.
    """
    latents, families = frames["latents"], frames["families"]
    columns, names, mean, axes = _plane(labels, latents)
    figure, panels = style.panels(1, 1, height=3.6, width=5.2)
    ax = panels[0, 0]
    labelled = latents.loc[latents["split"] == "train", columns].to_numpy()
    ax.scatter(*(axes @ (labelled - mean).T), s=5, color="#CFCFCF", linewidths=0, label="labelled rows")
    for (family, rows), colour in zip(families.groupby("family", sort=False), style.CYCLE, strict=False):
        x, y = axes @ (rows[columns].to_numpy() - mean).T
        _dots(ax, x, y, colour, f"{family} ({len(rows)})", size=15)
    ax.set_xlabel(names[0])
    ax.set_ylabel(names[1])
    style.legend_below(figure, [ax])
    return figure


def _dots(ax: Axes, x: np.ndarray, y: np.ndarray, colour: str, name: str, size: float) -> None:
    ax.scatter(x, y, s=size, color=colour, alpha=0.75, linewidths=0, label=name)


FIGURES.register("latent_space")(
    kind.FigureKind(
        title="The latents z by class",
        caption=(
            "Each point is a row at its z, encoded without its label, and coloured by its true class; of "
            "more than two z the first two principal axes, with their share of the variance of the labelled "
            "rows. Where z is independent of the class the colours mix. One member, of the first repeat and "
            "fold."
        ),
        section="interpretation",
        draw=draw,
        required_tables=required_tables,
        available=available,
        filters={"latents": FIRST},
    )
)
FIGURES.register("families")(
    kind.FigureKind(
        title="Families of alloys among the latents",
        caption=(
            "All equimolar alloys of the elements of each family (how many in brackets), encoded with the "
            "class that is predicted for them, over the labelled rows (grey), in the plane and by the member "
            "of the figure of z by class."
        ),
        section="interpretation",
        draw=draw_families,
        required_tables=family_tables,
        available=families_available,
        filters={"latents": FIRST},
    )
)
