"""Hold the predicted efficiency of simulated devices against the simulator.

In: strict weights of the chain, features of its scales, the scale's data set and predictions, and the
calculations that gaps are taken from. Out: efficiency (percent), simulated and predicted by members that left
the compound out, over the gap (eV), each process variable and the strain; the detailed-balance limit.
"""

from typing import Any

from nestmat.config.datasets import DatasetSpec
from nestmat.evaluation.device_physics import trace_truth
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule's files and parameters to `nestmat.evaluation.device_physics.trace_truth`."""
    with job_log(snakemake):
        params = snakemake.params
        trace_truth(
            dict(zip(params.models, snakemake.input.weights, strict=True)),
            dict(zip(params.blocks, snakemake.input.features, strict=True)),
            str(snakemake.input.data),
            str(snakemake.input.predictions),
            snakemake.output.truth,
            scale=snakemake.wildcards.scale,
            dataset=DatasetSpec.model_validate(params.dataset),
            blocks=params.blocks,
            points=params.truth["points"],
            compounds=params.truth["compounds"],
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
