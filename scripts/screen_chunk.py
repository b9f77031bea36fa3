"""Screen a part of a design space.

In: members that were trained on every row. Out: the best materials of the part and a random sample of it,
with what is predicted of them and how they stand to the domain.
"""

from typing import Any

from nestmat.design.opening import open_design
from nestmat.logs import job_log
from nestmat.search.screening import Screening, screen_chunk


def main(snakemake: Any) -> None:
    """Map the rule onto `nestmat.search.screening.screen_chunk`."""
    with job_log(snakemake):
        design = open_design(snakemake)
        screen = design.config.screen
        screen_chunk(
            design.searched,
            snakemake.output.table,
            Screening(keep=screen.keep, sample=screen.sample),
            int(snakemake.wildcards.chunk),
            screen.chunks,
            units=design.units,
            facts={"problem": design.name},
            describe=lambda x: design.domain.verdicts(x).columns(),
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
