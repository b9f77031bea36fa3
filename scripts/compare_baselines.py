"""Fit baselines on the folds of a protocol.

Inputs: features and folds of a scale. Outputs: predictions of all baselines, in the unit of the target; the
fits of those that predict new rows.
"""

from typing import Any

from nestmat.evaluation.baselines import compare_baselines
from nestmat.evaluation.fitted_baselines import FitsToKeep
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `compare_baselines`."""
    params = snakemake.params
    with job_log(snakemake):
        compare_baselines(
            features=snakemake.input.features,
            folds=snakemake.input.folds,
            protocol=snakemake.wildcards.protocol,
            baselines=params.baselines,
            output=snakemake.output.predictions,
            stacked=params.stacked,
            threads=snakemake.threads,
            keep=FitsToKeep(snakemake.output.fits, params.kept),
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
