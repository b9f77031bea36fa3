"""Train a model of a scale with several latent sizes.

In: features, folds, and the parents' latents for the same rows. Out: validation metrics by latent size and
fold, in the units of the targets.
"""

from typing import Any

from nestmat.logs import job_log
from nestmat.models.keys import ModelKey
from nestmat.models.specification import specification_from
from nestmat.scales.sweep import SweepJob, sweep_latents


def main(snakemake: Any) -> None:
    """Map the rule's files and parameters to `nestmat.scales.sweep.sweep_latents`."""
    with job_log(snakemake):
        sweep = dict(snakemake.params.sweep)
        job = SweepJob(
            key=ModelKey(snakemake.wildcards.scale, sweep["protocol"], sweep["model"]),
            specification=specification_from(snakemake.params.specification),
            features=snakemake.input.features,
            folds=snakemake.input.folds,
            sweep=snakemake.output.sweep,
            sizes=sweep["latents"],
            epochs=sweep["epochs"],
            parents=dict(zip(snakemake.params.parents, snakemake.input.parents, strict=True)),
        )
        sweep_latents(job)


if "snakemake" in globals():
    main(globals()["snakemake"])
