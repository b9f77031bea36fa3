"""Hold the predictions for calculated materials against the calculations.

In: members that were trained on every row; compounds or cells calculated by DFT. Out: gap (eV), lattice
constant (angstrom) and formation energy (eV), predicted and calculated.
"""

from typing import Any

import torch

from nestmat.config.loading import study_from
from nestmat.design.cells import verify_cells
from nestmat.design.members import load_members
from nestmat.design.problem import build_design
from nestmat.design.verification import verify
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `nestmat.design.verification.verify` or `nestmat.design.cells.verify_cells`."""
    with job_log(snakemake.log[0]):
        torch.set_num_threads(snakemake.threads)
        members = load_members(snakemake.params.members, snakemake.input.members)
        design = build_design(study_from(snakemake.params.study), snakemake.wildcards.problem, members)
        hold = verify_cells if design.config.space.cells else verify
        hold(design, snakemake.input.calculated, snakemake.output.verified)


if "snakemake" in globals():
    main(globals()["snakemake"])
