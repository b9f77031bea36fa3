"""Read a data set: check every row and give every material its canonical key.

In: the CSV or Parquet file and the further files, or the table that a generator made. Out: row_id, row,
formula, material, flag and the declared columns with their units; the rows left out, with row, column, value
and reason.
"""

from typing import Any

from nestmat.config.datasets import DatasetSpec
from nestmat.data.reading import read, write
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule's files and parameters to `nestmat.data.reading.read`."""
    with job_log(snakemake):
        reading = read(
            DatasetSpec.model_validate(snakemake.params.spec),
            *snakemake.input.files,
            name=snakemake.wildcards.dataset,
            targets=snakemake.params.targets,
        )
        write(reading, snakemake.output.table, snakemake.output.rejects)


if "snakemake" in globals():
    main(globals()["snakemake"])
