"""Correlation of the latents with the descriptors, with each other, and with the targets."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nestmat.config import Study
from nestmat.figures import kind, style

SIGNIFICANT = 0.05
"""False-discovery rate below which a correlation is printed."""


def available(study: Study, scale: str) -> bool:
    """Whether a model of the scale is interpreted."""
    return study.scales[scale].interpret is not None


def needs(study: Study, scale: str) -> kind.Needs:
    """Correlations of the interpreted model."""
    return {
        "correlations": [f"interpretation/{scale}.correlations.parquet"],
        "features": [kind.features(scale)],
    }


def _draw(frames: Mapping[str, pd.DataFrame], labels: style.Labels, roles: list[str]) -> Figure:
    found = frames["correlations"]
    found = found[(found["method"] == "pearson") & found["role"].isin(roles)]
    latents = sorted(found["latent"].unique(), key=_place)
    variables = list(dict.fromkeys(found["variable"]))
    if "latent" in roles:
        variables = latents + [v for v in variables if v not in latents]
    table = found.pivot(index="variable", columns="latent").reindex(index=variables)
    shape = [len(variables), len(latents)]
    strength = table["adjusted"].reindex(columns=latents).to_numpy(np.float64)
    q = table["q_value"].reindex(columns=latents).to_numpy(np.float64)
    if "latent" in roles:
        # A symmetric matrix says everything twice: only the half below the diagonal is shown.
        hidden = np.triu(np.ones(shape, dtype=bool))
        hidden[len(latents) :] = False
        strength[hidden] = np.nan
    width = min(style.WIDTH, 2.4 + 0.42 * len(latents))
    figure, axes = style.panels(1, 1, height=1.1 + 0.25 * len(variables), width=max(width, 4.4))
    _matrix(axes[0, 0], strength, q)
    axes[0, 0].set_xticks(range(len(latents)), [_symbol(name) for name in latents])
    names = [_symbol(v) if v in latents else labels.name(v) for v in variables]
    axes[0, 0].set_yticks(range(len(variables)), names)
    axes[0, 0].set_xlabel(f"Latent variables of {labels.model(_model(labels))}")
    bar = figure.colorbar(axes[0, 0].images[0], ax=axes[0, 0], shrink=min(1, 2.2 / (0.25 * len(variables))))
    bar.set_label("Adjusted |r|")
    bar.outline.set_visible(False)  # type: ignore[operator]
    return figure


def draw_descriptors(frames: Mapping[str, pd.DataFrame], labels: style.Labels) -> Figure:
    """Matrix of descriptors by latents.

    Args:
        frames: ``correlations``: latent, variable, role, method, adjusted, q_value.
        labels: Names and units.
    """
    return _draw(frames, labels, ["descriptor"])


def draw_latents(frames: Mapping[str, pd.DataFrame], labels: style.Labels) -> Figure:
    """Lower half of the matrix of latents by latents, and the targets below it.

    Args:
        frames: As of `draw_descriptors`.
        labels: Names and units.
    """
    return _draw(frames, labels, ["latent", "target"])


def _matrix(ax: Axes, strength: np.ndarray, q: np.ndarray) -> None:
    ax.imshow(strength, vmin=0, vmax=1, cmap="Blues", aspect="auto")
    ax.grid(visible=False)
    for side in ax.spines.values():
        side.set_visible(False)
    ax.tick_params(length=0)
    for (i, j), value in np.ndenumerate(strength):
        if np.isfinite(value) and q[i, j] < SIGNIFICANT:
            ax.text(
                j,
                i,
                f"{value:.2f}".removeprefix("0"),
                ha="center",
                va="center",
                fontsize=6.5,
                color="white" if value > 0.6 else style.INK,
            )


def _place(latent: str) -> int:
    return int(latent.removeprefix("z"))


def _symbol(latent: str) -> str:
    return f"z$_{{{_place(latent)}}}$"


def _model(labels: style.Labels) -> str:
    assert labels.config.interpret is not None
    return labels.config.interpret.model


_COMMON = (
    "Cells show |r| (Pearson) less its standard error 1/√(n − 3), scaled to 1; a number is printed where the "
    "permutation test is significant at a false-discovery rate of 5 %."
)

DESCRIPTORS = kind.Kind(
    title="Latents and descriptors",
    caption=f"What each latent variable has kept of the descriptors. {_COMMON}",
    section="interpretation",
    draw=draw_descriptors,
    needs=needs,
    available=available,
)
LATENTS = kind.Kind(
    title="Latents among themselves and with the target",
    caption=f"How far the latent variables repeat each other, and which of them carry the target. {_COMMON}",
    section="interpretation",
    draw=draw_latents,
    needs=needs,
    available=available,
)
