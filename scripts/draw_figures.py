"""Draw the figures of a scale or of a design problem.

In: the tables that the figures need. Out: SVG files with units on every axis, named by kind.
"""

from pathlib import Path
from typing import Any

from nestmat import figures
from nestmat.config.study import Study
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule's tables onto `nestmat.figures.draw`."""
    with job_log(snakemake.log[0]):
        study, subject = Study.model_validate(snakemake.params.study), snakemake.params.subject
        for kind, output in snakemake.output.items():
            needed = figures.needs(study, subject, kind)
            results = Path(output).parents[1]
            inputs = {name: [results / path for path in paths] for name, paths in needed.items()}
            figures.draw(kind, inputs, study, subject, output)


if "snakemake" in globals():
    main(globals()["snakemake"])
