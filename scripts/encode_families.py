"""Encode families of equimolar alloys with the explained model of a scale.

In: weights and cards of the model and its parents, features that they were trained on. Out: latents of every
alloy (no unit).
"""

from typing import Any

from nestmat.interpretation.families import encode_families
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule's files to `nestmat.interpretation.families.encode_families`."""
    with job_log(snakemake):
        scales = snakemake.params.scales
        encode_families(
            dict(zip(scales, snakemake.input.weights, strict=True)),
            dict(zip(scales, snakemake.input.features, strict=True)),
            snakemake.params.blocks,
            snakemake.params.interpret["families"],
            snakemake.output.families,
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
