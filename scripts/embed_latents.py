"""Map the latents of one model of each scale to the plane.

In: latents of the models, features of their scales. Out: PCA and t-SNE coordinates (no unit) of every row,
with the targets in their units.
"""

from typing import Any

from nestmat.interpretation.embed import embed_latents
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule's files to `embed_latents`, a scale at a time."""
    with job_log(snakemake):
        files = (snakemake.input.latents, snakemake.input.features, snakemake.output.embeddings)
        for latents, features, embedding in zip(*files, strict=True):
            embed_latents(latents, features, embedding)


if "snakemake" in globals():
    main(globals()["snakemake"])
