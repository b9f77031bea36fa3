"""Fetch a file of a data set.

In: its address and checksum; the environment variable NESTMAT_MIRROR may name a folder of local
copies.
Out: the file, verified.
"""

import os
from typing import Any

from nestmat.config.data_files import DataFile
from nestmat.data.fetch import fetch
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule's files and parameters to `nestmat.data.fetch.fetch`."""
    with job_log(snakemake):
        file = DataFile.model_validate(snakemake.params.file)
        fetch(file, snakemake.output.file, mirror=os.environ.get("NESTMAT_MIRROR"))


if "snakemake" in globals():
    main(globals()["snakemake"])
