"""Measure all models of a scale.

Inputs: predictions of all models and protocols, cards of the autoencoders, metrics of the latents of those
that are semi-supervised, features. Outputs: metrics, comparison of nested with single-scale models,
calibration curves, metrics of strata; errors are in the unit of the target.
"""

from typing import Any

from nestmat.evaluation.metrics import evaluate_scale
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `evaluate_scale`."""
    with job_log(snakemake.log[0]):
        evaluate_scale(
            predictions=snakemake.input.predictions,
            cards=snakemake.input.cards,
            latents=snakemake.input.latents,
            features=snakemake.input.features,
            scale=snakemake.wildcards.scale,
            compare=snakemake.params.compare,
            left_out=snakemake.params.left_out,
            metrics=snakemake.output.metrics,
            comparisons=snakemake.output.comparisons,
            calibration=snakemake.output.calibration,
            strata=snakemake.output.strata,
            within=snakemake.params.within,
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
