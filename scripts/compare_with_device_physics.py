"""Compare predicted efficiencies of simulated devices with the device physics that they follow.

In: strict weights of the chain, features of its scales, the scale's data set and predictions, and the
calculations that gaps are taken from. Out: efficiency (percent), simulated and predicted by members that left
the compound out, over the gap (eV), each process variable and the strain; the detailed-balance limit.
"""

from typing import Any

from nestmat.config.datasets import DatasetSpec
from nestmat.evaluation.device_physics import SimulatedDevices, compare_with_device_physics
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule's files and parameters to `compare_with_device_physics`."""
    with job_log(snakemake):
        params = snakemake.params
        devices = SimulatedDevices(
            scale=snakemake.wildcards.scale,
            weights=dict(zip(params.models, snakemake.input.weights, strict=True)),
            features=dict(zip(params.blocks, snakemake.input.features, strict=True)),
            blocks=params.blocks,
            data=str(snakemake.input.data),
            predictions=str(snakemake.input.predictions),
            dataset=DatasetSpec.model_validate(params.dataset),
        )
        numbers = {name: params.device_physics[name] for name in ("points", "compounds")}
        compare_with_device_physics(devices, snakemake.output.comparison, **numbers)


if "snakemake" in globals():
    main(globals()["snakemake"])
