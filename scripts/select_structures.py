"""Select the best materials of a design problem that fit into a cell of ten atoms, or cells of a shortlist.

In: members that were trained on every row; of a space of cells the shortlist. Out: the materials with their
predictions; a table of structures to calculate, with formula and lattice constant (angstrom), or with the
cell (angstrom, degrees).
"""

from typing import Any

from nestmat.design.cells import select_cells
from nestmat.design.opening import open_design
from nestmat.design.verification import select_for_dft
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `select_for_dft` of `nestmat.design.verification` or `select_cells`."""
    with job_log(snakemake):
        design = open_design(snakemake)
        outputs = (snakemake.output.table, snakemake.output.csv)
        if design.config.space.cells:
            [shortlist] = snakemake.input.shortlist
            select_cells(design, shortlist, *outputs)
        else:
            select_for_dft(design, *outputs)


if "snakemake" in globals():
    main(globals()["snakemake"])
