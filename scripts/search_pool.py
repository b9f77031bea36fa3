"""Search the labelled rows of a scale for the best one, as if their labels were unknown.

In: features and data set of the scale, latents of the models that describe its rows. Out: labels seen until
the best row was found, by representation, way of searching and trial; the labels in the order they were seen
(in the unit of the target).
"""

from typing import Any

from nestmat.logs import job_log
from nestmat.search.pool.trials import PoolTrials, search_pool


def main(snakemake: Any) -> None:
    """Map the rule's files and parameters to `nestmat.search.pool.trials.search_pool`."""
    with job_log(snakemake):
        settings = dict(snakemake.params.settings)
        blocks = {name: entry["blocks"] for name, entry in settings.pop("representations").items()}
        search_pool(
            snakemake.input.features,
            str(snakemake.input.data),
            snakemake.output.pool,
            snakemake.output.order,
            scale=snakemake.wildcards.scale,
            latents=dict(zip(snakemake.params.read, snakemake.input.latents, strict=True)),
            trials=PoolTrials(representations=blocks, **settings),
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
