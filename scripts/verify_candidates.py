"""Hold the predictions for calculated materials against the calculations.

In: members that were trained on every row; compounds or cells calculated by DFT. Out: gap (eV), lattice
constant (angstrom) and formation energy (eV), predicted and calculated.
"""

from typing import Any

from nestmat.design.opening import open_design
from nestmat.design.structures import verify_candidates
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `nestmat.design.structures.verify_candidates`."""
    with job_log(snakemake):
        design = open_design(snakemake)
        verify_candidates(design, str(snakemake.input.calculated), snakemake.output.verified)


if "snakemake" in globals():
    main(globals()["snakemake"])
