"""Put the cells of a set of layers and what was calculated of them together.

In: the calculations of the set; the table that the cells are listed from. Out: one row a structure, with
lengths (angstrom) and angles (degrees) of the cell, height, gap and energy (eV).
"""

from typing import Any

from nestmat.config.dft import StructureSet
from nestmat.dft.summaries import summarise_cells
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule's files and parameters to `nestmat.dft.summaries.summarise_cells`."""
    with job_log(snakemake):
        [table] = snakemake.input.file
        summarise_cells(
            snakemake.input.table,
            StructureSet.model_validate(snakemake.params.spec),
            snakemake.wildcards.set,
            table,
            snakemake.output.cells,
            study=snakemake.params.study,
            set=snakemake.wildcards.set,
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
