"""Make the table of a data set.

In: the files that the generator reads, if any. Out: the table as the generator makes it, without units, which
the data set declares and `read_dataset` gives.
"""

from typing import Any

from nestmat.data.generated import write_generated
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule's files and parameters to `nestmat.data.generated.write_generated`."""
    with job_log(snakemake):
        write_generated(snakemake.params.generator, snakemake.output.table)


if "snakemake" in globals():
    main(globals()["snakemake"])
