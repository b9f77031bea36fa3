"""Summarise the calculations of a set of candidates.

In: their table, and records of other calculations, for formation energies. Out: one row a perovskite,
with lattice constant (angstrom), bulk modulus (GPa), gaps and formation energy (eV); one row a perovskite and
strain.
"""

from typing import Any

from nestmat.dft.summaries import summarise_candidates
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule's files and parameters to `nestmat.dft.summaries.summarise_candidates`."""
    with job_log(snakemake):
        summarise_candidates(
            snakemake.input.table,
            list(snakemake.input.known),
            dict(snakemake.output.items()),
            study=snakemake.params.study,
            set=snakemake.wildcards.set,
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
