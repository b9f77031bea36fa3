"""Train a model of a scale with several latent sizes.

In: features, folds, and the parents' latents for the same rows. Out: validation metrics by latent size and
fold, in the units of the targets.
"""

from typing import Any

from nestmat.logs import job_log
from nestmat.scales.sweep import sweep_latents


def main(snakemake: Any) -> None:
    """Map the rule's files and parameters to `nestmat.scales.sweep.sweep_latents`."""
    with job_log(snakemake):
        sweep = dict(snakemake.params.sweep)
        sweep_latents(
            snakemake.input.features,
            snakemake.input.folds,
            snakemake.output.sweep,
            scale=snakemake.wildcards.scale,
            protocol=sweep["protocol"],
            name=sweep["model"],
            specification=snakemake.params.specification,
            sizes=sweep["latents"],
            epochs=sweep["epochs"],
            parents=dict(zip(snakemake.params.parents, snakemake.input.parents, strict=True)),
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
