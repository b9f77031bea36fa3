"""Fit baselines on the folds of a protocol.

Inputs: features and folds of a scale; predictions of finer scales for its rows, and rows of coarser scales
with its features, where baselines read such predictions. Outputs: predictions of all baselines, in the unit
of the target; those of stacked ones for the coarser scales; the fits of those that predict new rows.
"""

from typing import Any

from nestmat.evaluation.baseline_inputs import ScaleTables
from nestmat.evaluation.baselines import compare_baselines
from nestmat.evaluation.fitted_baselines import FitsToKeep
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `compare_baselines`."""
    files, params = snakemake.input, snakemake.params
    scale = ScaleTables(
        features=files.features,
        folds=files.folds,
        parents=dict(zip(params.parents, files.parents, strict=True)),
        children=dict(zip(params.children, files.children, strict=True)),
    )
    with job_log(snakemake):
        compare_baselines(
            scale,
            protocol=snakemake.wildcards.protocol,
            baselines=params.baselines,
            output=snakemake.output.predictions,
            stacked=params.stacked,
            threads=snakemake.threads,
            keep=FitsToKeep(snakemake.output.fits, params.kept, params.kept_fold),
            of_children=snakemake.output.of_children,
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
