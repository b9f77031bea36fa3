"""Draw one kind of figure of a scale.

In: the tables that the figure needs. Out: an SVG with units on every axis.
"""

from typing import Any

from nestmat import figures
from nestmat.config import Study
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule's tables onto `nestmat.figures.draw`."""
    with job_log(snakemake.log[0]):
        study = Study.model_validate(snakemake.params.study)
        scale, kind = snakemake.wildcards.scale, snakemake.wildcards.kind
        inputs = {name: snakemake.input[name] for name in figures.needs(study, scale, kind)}
        figures.draw(kind, inputs, study, scale, snakemake.output.figure)


if "snakemake" in globals():
    main(globals()["snakemake"])
