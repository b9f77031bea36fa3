"""Train a generative model of the materials of a space, once a seed.

In: features and folds of its scale, and where the model is taught, of the chain that teaches, with its
weights. Out: weights (safetensors) and learning curves.
"""

from typing import Any

from nestmat.config.loading import study_from
from nestmat.design.generative import train_generative
from nestmat.design.opening import members_of_job
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `nestmat.design.generative.train_generative`."""
    with job_log(snakemake):
        train_generative(
            study_from(snakemake.params.study, check_options=False),
            snakemake.wildcards.generative,
            members_of_job(snakemake, snakemake.wildcards.protocol, snakemake.params.scales),
            snakemake.output.weights,
            snakemake.output.history,
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
