"""Describe the domain of a scale: what the rows that train it cover.

Inputs: features and folds of the scale. Outputs: species, mixtures, levels, ranges and distances of the rows
that train: all of them in the protocol strict, and in others, which a search reads, those outside fold 0.
"""

from typing import Any

from nestmat.domains.describe import describe_domain
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `describe_domain`."""
    with job_log(snakemake):
        protocol = snakemake.wildcards.protocol
        describe_domain(
            snakemake.wildcards.scale,
            snakemake.input.features,
            snakemake.input.folds,
            snakemake.params.blocks,
            snakemake.output.domain,
            protocol=protocol,
            fold=-1 if protocol == "strict" else 0,
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
