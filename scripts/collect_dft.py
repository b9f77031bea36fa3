"""Collect the calculations of a set.

In: its parts, one JSON line a calculation. Out: a table with one row a calculation, failed ones with status
and message.
"""

from typing import Any

from nestmat.dft.records import read_parts, write_records
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule's files to `nestmat.dft.records.write_records`."""
    with job_log(snakemake):
        write_records(read_parts(snakemake.input.parts), snakemake.output.table, set=snakemake.wildcards.set)


if "snakemake" in globals():
    main(globals()["snakemake"])
