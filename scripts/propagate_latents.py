"""Encode the rows of a child scale with every member of its parent.

In: the parent's weights and card, the child's rows with the parent's features, and the latents of the
parent's own parents for these rows. Out: latents, and where requested the parent's predictions with their
spread, in its units.
"""

from typing import Any

from nestmat.logs import job_log
from nestmat.scales.propagate import propagate_latents


def main(snakemake: Any) -> None:
    """Map the rule's files and parameters to `nestmat.scales.propagate.propagate_latents`."""
    with job_log(snakemake):
        propagate_latents(
            snakemake.input.weights,
            snakemake.input.features,
            snakemake.output.latents,
            card=snakemake.input.card,
            parents=dict(zip(snakemake.params.parents, snakemake.input.parents, strict=True)),
            pass_prediction=snakemake.params.pass_prediction,
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
