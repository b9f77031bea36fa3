"""Measure the left-out rows of a scale by how they stand to the domain of the rows that trained.

Inputs: features and folds of the scale and its ancestors, predictions in the protocol strict. Outputs:
errors, in the unit of the target, and coverage of the intervals inside, at the edge and outside.
"""

from typing import Any

from nestmat.evaluation.domain_errors import ScaleFiles, measure_domains
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `measure_domains`."""
    with job_log(snakemake):
        files = snakemake.input
        parts = zip(*(files.training, files.rows, files.folds, snakemake.params.blocks.values()), strict=True)
        chain = dict(zip(snakemake.params.blocks, (ScaleFiles(*part) for part in parts), strict=True))
        measure_domains(chain, files.predictions, snakemake.output.errors)


if "snakemake" in globals():
    main(globals()["snakemake"])
