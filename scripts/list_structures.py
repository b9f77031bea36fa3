"""List the structures of a set.

In: a user's table, or the calculations that a built-in set is made from. Out: one JSON line a structure, as
`nestmat.dft.structures` describes it; the rows left out, with line, column, value and reason.
"""

from typing import Any

from nestmat import tables
from nestmat.config.dft import StructureSet
from nestmat.dft.records import read_records
from nestmat.dft.structure_sets import list_structures, write_structures
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule's files and parameters to `nestmat.dft.structure_sets.list_structures`."""
    with job_log(snakemake) as log:
        structures, rejects = list_structures(
            StructureSet.model_validate(snakemake.params.spec),
            snakemake.wildcards.set,
            read_records(snakemake.input.calculations),
            next(iter(snakemake.input.file), None),
        )
        log.info("%d structures, %d rows rejected", len(structures), len(rejects))
        tables.write(snakemake.output.rejects, rejects, tables.REJECTS)
        write_structures(structures, snakemake.output.structures)


if "snakemake" in globals():
    main(globals()["snakemake"])
