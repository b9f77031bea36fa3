"""Select the best materials of a design problem that fit into a cell of ten atoms, or cells of a shortlist.

In: members that were trained on every row; of a space of cells the shortlist. Out: the materials with their
predictions; a table of structures to calculate, with formula and lattice constant (angstrom), or with the
cell (angstrom, degrees).
"""

from typing import Any

import torch

from nestmat.cell_verification import select_cells
from nestmat.config import study_from
from nestmat.inverse_design import build_design, members_of
from nestmat.logs import job_log
from nestmat.shortlist import select_for_dft


def main(snakemake: Any) -> None:
    """Map the rule onto `nestmat.shortlist.select_for_dft` or `nestmat.cell_verification.select_cells`."""
    with job_log(snakemake.log[0]):
        torch.set_num_threads(snakemake.threads)
        members = members_of(snakemake.params.members, snakemake.input.members)
        design = build_design(study_from(snakemake.params.study), snakemake.wildcards.problem, members)
        outputs = (snakemake.output.table, snakemake.output.csv)
        if design.given.space.cells:
            [shortlist] = snakemake.input.shortlist
            select_cells(design, shortlist, *outputs)
        else:
            select_for_dft(design, *outputs)


if "snakemake" in globals():
    main(globals()["snakemake"])
