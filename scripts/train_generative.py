"""Train a generative model of the materials of a space, once a seed.

In: features and folds of its scale, and where the model is taught, of the chain that teaches, with its
weights. Out: weights (safetensors) and learning curves.
"""

from typing import Any

import torch

from nestmat.config.loading import study_from
from nestmat.design.generative import train_generative
from nestmat.design.members import Members
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `nestmat.design.generative.train_generative`."""
    with job_log(snakemake.log[0]):
        torch.set_num_threads(snakemake.threads)
        given, files = snakemake.params.members, snakemake.input
        # Without a teacher there are no weights.
        weights = dict(zip(given["scales"], files.weights, strict=bool(files.weights)))
        features = dict(zip(given["scales"], files.features, strict=True))
        folds = dict(zip(given["scales"], files.folds, strict=True))
        train_generative(
            study_from(snakemake.params.study),
            snakemake.wildcards.generative,
            Members(given["protocol"], given["fold"], weights, features, folds),
            snakemake.output.weights,
            snakemake.output.history,
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
