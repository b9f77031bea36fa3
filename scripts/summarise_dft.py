"""Summarise the calculations of all sets.

In: their tables. Out: one row a calculation, with energies in eV per formula unit and the strain about the
minimum; one row a perovskite, with lattice constant (angstrom), bulk modulus (GPa), gaps and formation energy
(eV); one row a perovskite and strain, with the gap.
"""

from typing import Any

from nestmat.dft.summaries import summarise_sets
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule's files and parameters to `nestmat.dft.summaries.summarise_sets`."""
    with job_log(snakemake):
        summarise_sets(
            snakemake.input.tables,
            dict(snakemake.output.items()),
            study=snakemake.params.study,
            sets=snakemake.params.sets,
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
