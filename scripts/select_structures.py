"""Select the best materials of a design problem that fit into a cell of ten atoms, or cells of a shortlist.

In: members that were trained on every row; of a space of cells the shortlist. Out: the materials with their
predictions; a table of structures to calculate, with formula and lattice constant (angstrom), or with the
cell (angstrom, degrees).
"""

from typing import Any

import torch

from nestmat.config.loading import study_from
from nestmat.design.cells import select_cells
from nestmat.design.members import load_members
from nestmat.design.problem import build_design
from nestmat.design.verification import select_for_dft
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `select_for_dft` of `nestmat.design.verification` or `select_cells`."""
    with job_log(snakemake.log[0]):
        torch.set_num_threads(snakemake.threads)
        members = load_members(snakemake.params.members, snakemake.input.members)
        design = build_design(study_from(snakemake.params.study), snakemake.wildcards.problem, members)
        outputs = (snakemake.output.table, snakemake.output.csv)
        if design.config.space.cells:
            [shortlist] = snakemake.input.shortlist
            select_cells(design, shortlist, *outputs)
        else:
            select_for_dft(design, *outputs)


if "snakemake" in globals():
    main(globals()["snakemake"])
