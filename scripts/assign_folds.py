"""Assign the rows of every scale to training and validation folds.

Inputs: features of all scales. Outputs: folds of all scales, in the same order.
"""

from typing import Any

from nestmat.evaluation.protocols import assign_folds
from nestmat.evaluation.training_rows import TrainingUse
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `assign_folds`."""
    with job_log(snakemake):
        assign_folds(
            features=dict(zip(snakemake.params.splits, snakemake.input.features, strict=True)),
            outputs=dict(zip(snakemake.params.splits, snakemake.output.folds, strict=True)),
            strict=snakemake.params.strict,
            splits=snakemake.params.splits,
            targets=snakemake.params.targets,
            uses={
                scale: {protocol: TrainingUse(**use) for protocol, use in by_protocol.items()}
                for scale, by_protocol in snakemake.params.uses.items()
            },
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
