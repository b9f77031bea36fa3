"""Select the best materials of a design problem that fit into a cell of ten atoms, or cells of a shortlist.

In: members that were trained on every row; of a space of cells the shortlist. Out: the materials with their
predictions; a table of structures to calculate, with formula and lattice constant (angstrom), or with the
cell (angstrom, degrees).
"""

from typing import Any

from nestmat.design.opening import open_design
from nestmat.design.structures import select_structures
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `nestmat.design.structures.select_structures`."""
    with job_log(snakemake):
        design = open_design(snakemake)
        shortlist = next(iter(snakemake.input.shortlist), None)
        select_structures(design, shortlist, snakemake.output.table, snakemake.output.csv)


if "snakemake" in globals():
    main(globals()["snakemake"])
