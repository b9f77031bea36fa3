"""Correlation of the latents with the descriptors, with each other, and with the targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from nestmat.config.study import Study
from nestmat.figures import kind, style
from nestmat.figures.registry import FIGURES
from nestmat.labels.scales import Labels

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SIGNIFICANT = 0.05
"""False-discovery rate below which a correlation is printed."""


def available(study: Study, scale: str) -> bool:
    """Whether a model of the scale is interpreted."""
    return study.scales[scale].interpret is not None


def required_tables(study: Study, scale: str) -> kind.TablePaths:
    """Correlations of the interpreted model."""
    return {
        "correlations": [f"interpretation/{scale}.correlations.parquet"],
        "features": [kind.features(scale)],
    }


def _draw(frames: Mapping[str, pd.DataFrame], labels: Labels, roles: list[str]) -> Figure:
    correlations = frames["correlations"]
    correlations = correlations[(correlations["method"] == "pearson") & correlations["kind"].isin(roles)]
    latents = sorted(frames["correlations"]["latent"].unique(), key=_place)
    partners = list(dict.fromkeys(correlations.loc[correlations["kind"] != "latent", "other"]))
    variables = (latents[1:] if "latent" in roles else []) + partners
    strength, q = (
        correlations.pivot(index="other", columns="latent", values=name)
        .reindex(index=variables, columns=latents)
        .to_numpy(np.float64)
        for name in ("adjusted", "q")
    )
    return style.matrix(
        strength,
        rows=[labels.latent(v) if v in latents else labels.name(v) for v in variables],
        columns=[labels.latent(name) for name in latents],
        across=f"Latent variables of {labels.model(_model(labels))}",
        bar="Adjusted |r|",
        printed=q < SIGNIFICANT,
    )


def draw_descriptors(frames: Mapping[str, pd.DataFrame], labels: Labels) -> Figure:
    """Matrix of descriptors by latents.

    Args:
        frames: ``correlations``: latent, other, kind, method, adjusted, q.
        labels: Names and units.
    """
    return _draw(frames, labels, ["descriptor"])


def draw_latents(frames: Mapping[str, pd.DataFrame], labels: Labels) -> Figure:
    """Matrix of latents by latents, each pair once, and the targets below it.

    Args:
        frames: As of `draw_descriptors`.
        labels: Names and units.
    """
    return _draw(frames, labels, ["latent", "target"])


def _place(latent: str) -> int:
    return int(latent.removeprefix("z"))


def _model(labels: Labels) -> str:
    assert labels.config.interpret is not None
    return labels.config.interpret.model


_COMMON = (
    "Cells show |r| (Pearson) less its standard error 1/√(n − 3), scaled to 1; a number is printed where the "
    "permutation test is significant at a false-discovery rate of 5 %."
)

FIGURES.register("latents_descriptors")(
    kind.FigureKind(
        title="Latents and descriptors",
        caption=f"What each latent variable has kept of the descriptors. {_COMMON}",
        section="interpretation",
        draw=draw_descriptors,
        required_tables=required_tables,
        available=available,
    )
)
FIGURES.register("latents_target")(
    kind.FigureKind(
        title="Latents among themselves and with the target",
        caption="How far the latent variables repeat each other, and which of them carry the target. "
        f"{_COMMON}",
        section="interpretation",
        draw=draw_latents,
        required_tables=required_tables,
        available=available,
    )
)
