"""Draw the figures of a scale or of a design problem.

In: the tables that the figures need. Out: SVG files with units on every axis, named by kind.
"""

from pathlib import Path
from typing import Any

from nestmat.config.loading import study_from
from nestmat.figures import drawing
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule's tables onto `nestmat.figures.drawing.draw`."""
    with job_log(snakemake):
        study, subject = study_from(snakemake.params.study, check_options=False), snakemake.wildcards.subject
        folder = Path(snakemake.output.figures)
        for kind in (kind for name, kind in drawing.available(study) if name == subject):
            needs = drawing.required_tables(study, subject, kind)
            files = {name: [folder.parents[1] / path for path in paths] for name, paths in needs.items()}
            drawing.draw(kind, files, study, subject, folder / f"{kind}.svg")


if "snakemake" in globals():
    main(globals()["snakemake"])
