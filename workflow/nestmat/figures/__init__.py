"""Figures of a study: which there are, what each is drawn from, and drawing them.

A new figure is one module with a `Kind` and one line in `FIGURES`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nestmat.config.study import Study
from nestmat.errors import InputError
from nestmat.figures import style
from nestmat.figures.kind import Kind
from nestmat.figures.problems import front, generative, scans, shortlist
from nestmat.figures.problems import interpolation as ways
from nestmat.figures.problems import methods as designs
from nestmat.figures.scales import (
    beeswarm,
    calibration,
    correlations,
    curves,
    devices,
    elements,
    errors,
    labelled,
    latent_errors,
    latent_space,
    maps,
    nesting,
    parity,
    pool,
    roc,
    shapley,
    sweeps,
    truth,
)
from nestmat.labels import problems as design_labels
from nestmat.labels.scales import Labels
from nestmat.labels.text import prettify

if TYPE_CHECKING:
    import pandas as pd

FIGURES: dict[str, Kind] = {
    "parity": parity.KIND,
    "errors": errors.KIND,
    "roc": roc.KIND,
    "labelled": labelled.KIND,
    "elements": elements.KIND,
    "latent_errors": latent_errors.KIND,
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
    "beeswarm": beeswarm.KIND,
    "shapley_latents": shapley.LATENTS,
    "latent_space": latent_space.KIND,
    "families": latent_space.FAMILIES,
    "maps": maps.KIND,
    "methods": designs.METHODS,
    "optimism": designs.OPTIMISM,
    "samples": generative.SAMPLES,
    "stages": generative.STAGES_KIND,
    "diversity": generative.DIVERSITY,
    "front": front.KIND,
    "scan": scans.KIND,
    "novelty": designs.NOVELTY,
    "generative_curves": generative.TRAINING,
    "pairs": generative.PAIRS,
    "shortlist_map": shortlist.MAP,
    "interpolation": ways.KIND,
    "verification": shortlist.VERIFICATION,
}


def available(study: Study) -> list[tuple[str, str]]:
    """Subject and kind of every figure of a study, from its configuration alone, in the report's order.

    Subjects are the scales, then the problems of inverse design.
    """
    subjects = [("scale", name) for name in study.scales] + [("problem", name) for name in study.search]
    return [
        (name, kind)
        for subject, name in subjects
        for kind, about in FIGURES.items()
        if about.subject == subject and about.available(study, name)
    ]


def title(study: Study, subject: str) -> str:
    """Name of a scale or a problem for people."""
    return (study.search.get(subject) or study.scales[subject]).title or prettify(subject)


def needs(study: Study, subject: str, kind: str) -> dict[str, list[str]]:
    """Files that a figure is drawn from, by name, relative to the study's results."""
    return FIGURES[kind].needs(study, subject)


def draw(
    kind: str,
    inputs: Mapping[str, str | Path | Sequence[str | Path]],
    study: Study,
    subject: str,
    output: str | Path,
    published: pd.DataFrame | None = None,
) -> None:
    """Draw a figure of a scale or a problem and write it as SVG, whole or not at all.

    Args:
        kind: Key of `FIGURES`.
        inputs: The files named by `needs`.
        study: The study.
        subject: Name of the scale or of the problem.
        output: File to write.
        published: Published numbers of the scale; `nestmat.data.published.for_scale` by default.

    Raises:
        InputError: A table is missing, has other columns than it should, or has no row to draw.
    """
    import pandas as pd

    from nestmat import tables
    from nestmat.data.published import for_scale

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
                f"no row to draw {kind} of {about.subject} {subject} from.",
                file=paths[0],
                remedy="delete the file and run again.",
            )
    labels: Labels
    if about.subject == "problem":
        labels = design_labels.DesignLabels.of(study, subject)
    else:
        frames["published"] = for_scale(study, subject) if published is None else published
        groups = [files.get(group, []) for group in ("data", "parent_features", "features")]
        columns = {
            n: column for group in groups for path in group for n, column in tables.schema(path).items()
        }
        labels = Labels(study, subject, columns)
    with style.sheet():
        figure = about.draw(frames, labels)
    style.write_svg(figure, output, f"{labels.title()}: {about.title}")
