"""Train one model of a scale: all folds and seeds together.

In: features, folds, and the parents' latents for the same rows; for a joint training instead the parents'
features, their folds, and their features for these rows; where a baseline teaches, its predictions. Out:
weights (safetensors) with their card (JSON), learning curves, predictions in the targets' units, latents.
"""

from typing import Any

from nestmat.logs import job_log
from nestmat.models.keys import ModelKey
from nestmat.models.specification import specification_from
from nestmat.scales.joint import joint_parents
from nestmat.scales.train import TrainingJob, train_scale

OUTPUTS = ("weights", "card", "history", "predictions", "latents")


def main(snakemake: Any) -> None:
    """Map the rule's files and parameters to `nestmat.scales.train.train_scale`."""
    with job_log(snakemake):
        job = TrainingJob(
            key=ModelKey(snakemake.wildcards.scale, snakemake.wildcards.protocol, snakemake.wildcards.model),
            specification=specification_from(snakemake.params.specification),
            features=snakemake.input.features,
            folds=snakemake.input.folds,
            parents=dict(zip(snakemake.params.parents, snakemake.input.parents, strict=True)),
            joint=joint_parents(snakemake.params.joint, snakemake.input.joint),
            stacked=snakemake.params.stacked,
            teacher=next(iter(snakemake.input.teacher), None),
            **{name: snakemake.output[name] for name in OUTPUTS},
        )
        train_scale(job)


if "snakemake" in globals():
    main(globals()["snakemake"])
