"""Map the latents of one model to the plane.

Inputs: latents of the model, features of the scale. Output: PCA and UMAP coordinates (no unit) of every row,
with the targets in their units.
"""

from typing import Any

from nestmat.evaluation.interpretability.scale import embed_latents
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `embed_latents`."""
    with job_log(snakemake.log[0]):
        embed_latents(
            latents=snakemake.input.latents,
            features=snakemake.input.features,
            embedding=snakemake.output.embedding,
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
