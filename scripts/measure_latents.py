"""Measure the latents of one semi-supervised model.

In: weights and card of the model, features, its latents. Out: metrics of reconstruction (at%) and of a probe
that predicts a class from z; errors of every row.
"""

from typing import Any

from nestmat.interpretation.disentanglement import measure_latents
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule's files to `nestmat.interpretation.disentanglement.measure_latents`."""
    with job_log(snakemake):
        measure_latents(
            snakemake.input.weights,
            snakemake.input.features,
            snakemake.input.latents,
            snakemake.output.metrics,
            snakemake.output.errors,
            card=snakemake.input.card,
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
