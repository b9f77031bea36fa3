"""Two-dimensional maps of the latents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nestmat.config.study import Study
from nestmat.figures import kind, style
from nestmat.figures.registry import FIGURES
from nestmat.labels.scales import Labels

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

METHODS = {
    "pca": ("PCA", "Principal component 1", "Principal component 2"),
    "tsne": ("t-SNE", "t-SNE 1", "t-SNE 2"),
}
"""Title and axes of each method."""


def available(study: Study, scale: str) -> bool:
    """Whether a model of the scale is interpreted whose latents do not hold its predictions."""
    return (
        study.scales[scale].interpret is not None
        and bool(study.scales[scale].targets)
        and kind.conditional_model(study, scale) is None
    )


def required_tables(study: Study, scale: str) -> kind.TablePaths:
    """Maps of the latents with the targets that colour them, and units."""
    return {"embeddings": [f"embeddings/{scale}.parquet"], "features": [kind.features(scale)]}


def draw(frames: Mapping[str, pd.DataFrame], labels: Labels) -> Figure:
    """A row a target, a column a method.

    Args:
        frames: ``embeddings``: row_id, method, x, y, target, value.
        labels: Names and units.
    """
    embeddings = frames["embeddings"]
    methods = [method for method in METHODS if method in set(embeddings["method"])]
    targets = labels.config.targets
    figure, axes = style.panels(len(targets), len(methods), height=2.9)
    for i, target in enumerate(targets):
        for ax, method in zip(axes[i], methods, strict=True):
            points = embeddings[(embeddings["method"] == method) & (embeddings["target"] == target)]
            dots = ax.scatter(
                points["x"],
                points["y"],
                c=points["value"],
                s=9 if len(points) > 500 else 14,
                linewidths=0,
                rasterized=len(points) > 4000,
            )
            title, x, y = METHODS[method]
            ax.set_title(title)
            ax.set_xlabel(x)
            ax.set_ylabel(y)
            ax.set_xticks([])
            ax.set_yticks([])
        bar = figure.colorbar(dots, ax=list(axes[i]), pad=0.01, aspect=30)
        bar.set_label(labels.axis(target, characters=36))
        bar.outline.set_visible(False)
    return figure


FIGURES.register("maps")(
    kind.FigureKind(
        title="Maps of the latent space",
        caption=(
            "Each point is a row at its place in the latent space, projected to two dimensions and coloured "
            "by the measured target. Axes have no unit; in the t-SNE map only small distances have "
            "a meaning."
        ),
        section="interpretation",
        draw=draw,
        required_tables=required_tables,
        available=available,
    )
)
