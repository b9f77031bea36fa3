"""Put the screened parts of a design space together.

In: the best and a sample of each part. Out: the same of the whole space.
"""

from typing import Any

from nestmat.logs import job_log
from nestmat.search.screening import merge_screen


def main(snakemake: Any) -> None:
    """Map the rule onto `nestmat.search.screening.merge_screen`."""
    with job_log(snakemake):
        merge_screen(snakemake.input.chunks, snakemake.output.screened)


if "snakemake" in globals():
    main(globals()["snakemake"])
