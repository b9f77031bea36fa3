"""Which figures a study has, what each is drawn from, and drawing them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nestmat.config.study import Study
from nestmat.errors import InputError
from nestmat.figures import style
from nestmat.figures.registry import FIGURES
from nestmat.labels import problems as design_labels
from nestmat.labels.scales import Labels
from nestmat.labels.text import prettify

if TYPE_CHECKING:
    import pandas as pd


def available(study: Study) -> list[tuple[str, str]]:
    """Subject and kind of every figure of a study, from its configuration alone, in the report's order.

    Subjects are the scales, then the problems of inverse design.
    """
    subjects = [("scale", name) for name in study.scales] + [("problem", name) for name in study.search]
    return [
        (name, kind)
        for subject, name in subjects
        for kind, figure in FIGURES.items()
        if figure.subject == subject and figure.available(study, name)
    ]


def title(study: Study, subject: str) -> str:
    """Name of a scale or a problem for people."""
    return (study.search.get(subject) or study.scales[subject]).title or prettify(subject)


def required_tables(study: Study, subject: str, kind: str) -> dict[str, list[str]]:
    """Files that a figure is drawn from, by name, relative to the study's results."""
    return FIGURES[kind].required_tables(study, subject)


def tables_by_subject(study: Study) -> dict[str, list[str]]:
    """Tables that the figures of each scale or design problem are drawn from, relative to the results."""
    paths: dict[str, set[str]] = {}
    for subject, kind in available(study):
        files = required_tables(study, subject, kind).values()
        paths.setdefault(subject, set()).update(path for names in files for path in names)
    return {subject: sorted(files) for subject, files in paths.items() if files}


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
        inputs: The files named by `required_tables`.
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

    figure_kind = FIGURES[kind]
    files = {
        name: [paths] if isinstance(paths, str | Path) else list(paths) for name, paths in inputs.items()
    }
    frames = {}
    for name, paths in files.items():
        parts = [
            tables.read(path, **figure_kind.filters.get(name, {})).assign(source=str(path)) for path in paths
        ]
        frames[name] = pd.concat(parts, ignore_index=True)
        if frames[name].empty:
            raise InputError(
                f"The table has no row to draw the figure {kind!r} of {subject!r} from.",
                file=paths[0],
                remedy="delete the file and run again.",
            )
    labels: Labels
    if figure_kind.subject == "problem":
        labels = design_labels.DesignLabels.of(study, subject)
    else:
        frames["published"] = for_scale(study, subject) if published is None else published
        groups = [files.get(group, []) for group in ("data", "parent_features", "features")]
        columns = {
            n: column for group in groups for path in group for n, column in tables.schema(path).items()
        }
        labels = Labels(study, subject, columns)
    with style.sheet():
        figure = figure_kind.draw(frames, labels)
    style.write_svg(figure, output, f"{labels.title()}: {figure_kind.title}")
