"""Measure all models of a scale.

Inputs: predictions of all models and protocols, cards of the autoencoders, metrics of the latents of those
that are semi-supervised, features. Outputs: metrics, comparison of nested with single-scale models,
calibration curves, metrics of strata; errors are in the unit of the target.
"""

from typing import Any

from nestmat.evaluation.evaluate import OUTPUTS, Evaluation, evaluate_scale
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `evaluate_scale`."""
    with job_log(snakemake):
        evaluation = Evaluation(
            scale=snakemake.wildcards.scale,
            features=snakemake.input.features,
            predictions=snakemake.input.predictions,
            cards=snakemake.input.cards,
            latents=snakemake.input.latents,
            compare=snakemake.params.compare,
            left_out=snakemake.params.left_out,
            strata=snakemake.params.strata,
        )
        evaluate_scale(evaluation, {name: getattr(snakemake.output, name) for name in OUTPUTS})


if "snakemake" in globals():
    main(globals()["snakemake"])
