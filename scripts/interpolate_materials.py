"""Go from one material of a design problem to another: through latents, and by mixing.

In: the searched members, the data sets of the scales that predict. Out: the materials along each way with
what is predicted and judged of them; measures of each way.
"""

from typing import Any

import torch

from nestmat.config.loading import study_from
from nestmat.design.interpolation import interpolate_materials
from nestmat.design.members import load_members
from nestmat.design.problem import build_design
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `nestmat.design.interpolation.interpolate_materials`."""
    with job_log(snakemake.log[0]):
        torch.set_num_threads(snakemake.threads)
        members = load_members(snakemake.params.members, snakemake.input.members)
        design = build_design(study_from(snakemake.params.study), snakemake.wildcards.problem, members)
        interpolate_materials(
            design,
            dict(zip(design.scales, snakemake.input.data, strict=True)),
            snakemake.output.points,
            snakemake.output.measures,
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
