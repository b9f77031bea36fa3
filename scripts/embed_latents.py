"""Map the latents of one model to the plane.

In: latents of the model, features of the scale. Out: PCA and UMAP coordinates (no unit) of every row, with
the targets in their units.
"""

from typing import Any

from nestmat.interpretation.embed import embed_latents
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule's files to `embed_latents`."""
    with job_log(snakemake):
        embed_latents(str(snakemake.input.latents), snakemake.input.features, snakemake.output.embedding)


if "snakemake" in globals():
    main(globals()["snakemake"])
