"""Train a network that stands for the recommended predictors in the space of a design problem.

In: the recommended predictors of the scales, and the members of the chain whose features the network reads.
Out: its weights (safetensors), and how well it stands for the predictors, in the unit of each quantity.
"""

from typing import Any

from nestmat.design.opening import open_design
from nestmat.design.recommended import distil_predictor
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `nestmat.design.recommended.distil_predictor`."""
    with job_log(snakemake):
        design = open_design(snakemake)
        output = snakemake.output
        distil_predictor(design.surrogate, design.space, design.units, output.student, output.fidelity)


if "snakemake" in globals():
    main(globals()["snakemake"])
