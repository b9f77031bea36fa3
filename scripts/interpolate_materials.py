"""Go from one material of a design problem to another: through latents, and by mixing.

In: the searched members, the data sets of the scales that predict. Out: the materials along each way with
what is predicted and judged of them; measures of each way.
"""

from typing import Any

from nestmat.design.interpolation import interpolate_materials
from nestmat.design.opening import open_design
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `nestmat.design.interpolation.interpolate_materials`."""
    with job_log(snakemake):
        design = open_design(snakemake)
        interpolate_materials(
            design,
            snakemake.output.points,
            snakemake.output.measures,
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
