"""Figures of a study: which there are, what each is drawn from, and drawing them.

A new figure is one module with a `Kind` and one line in `FIGURES`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nestmat.config import Study
from nestmat.errors import InputError
from nestmat.figures import (
    calibration,
    correlations,
    curves,
    devices,
    errors,
    maps,
    nesting,
    parity,
    pool,
    shapley,
    style,
    sweeps,
    truth,
)
from nestmat.figures.kind import Kind

if TYPE_CHECKING:
    import pandas as pd

FIGURES: dict[str, Kind] = {
    "parity": parity.KIND,
    "errors": errors.KIND,
    "devices": devices.KIND,
    "truth": truth.KIND,
    "nesting": nesting.KIND,
    "calibration": calibration.KIND,
    "pool": pool.KIND,
    "sweep": sweeps.KIND,
    "curves": curves.KIND,
    "latents_descriptors": correlations.DESCRIPTORS,
    "latents_target": correlations.LATENTS,
    "shapley": shapley.KIND,
    "shapley_latents": shapley.LATENTS,
    "maps": maps.KIND,
}


def available(study: Study) -> list[tuple[str, str]]:
    """Scale and kind of every figure of a study, from its configuration alone, in the report's order."""
    return [
        (scale, kind)
        for scale in study.scales
        for kind, about in FIGURES.items()
        if about.available(study, scale)
    ]


def needs(study: Study, scale: str, kind: str) -> dict[str, list[str]]:
    """Files that a figure is drawn from, by name, relative to the study's results."""
    return FIGURES[kind].needs(study, scale)


def draw(
    kind: str,
    inputs: Mapping[str, str | Path | Sequence[str | Path]],
    study: Study,
    scale: str,
    output: str | Path,
    published: pd.DataFrame | None = None,
) -> None:
    """Draw a figure of a scale and write it as SVG, whole or not at all.

    Args:
        kind: Key of `FIGURES`.
        inputs: The files named by `needs`.
        study: The study.
        scale: Name of the scale.
        output: File to write.
        published: Published numbers of the scale, as `nestmat.published.for_scale` gives them by default.

    Raises:
        InputError: A table is missing, has other columns than it should, or has no row to draw.
    """
    import pandas as pd

    from nestmat import tables
    from nestmat.published import for_scale

    about = FIGURES[kind]
    files = {
        name: [given] if isinstance(given, str | Path) else list(given) for name, given in inputs.items()
    }
    frames = {}
    for name, paths in files.items():
        parts = [tables.read(path, **about.filters.get(name, {})).assign(source=str(path)) for path in paths]
        frames[name] = pd.concat(parts, ignore_index=True)
        if frames[name].empty:
            raise InputError(
                f"no row to draw {kind} of scale {scale} from.",
                file=paths[0],
                remedy="delete the file and run again.",
            )
    frames["published"] = for_scale(study, scale) if published is None else published
    columns = {
        name: column
        for group in ("data", "parent_features", "features")
        for path in files.get(group, [])
        for name, column in tables.schema(path).items()
    }
    labels = style.Labels(study, scale, columns)
    with style.sheet():
        figure = about.draw(frames, labels)
    style.write_svg(figure, output, f"{labels.title()}: {about.title}")
