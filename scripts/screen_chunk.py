"""Screen a part of a design space.

In: members that were trained on every row. Out: the best materials of the part and a random sample of it,
with what is predicted of them.
"""

from typing import Any

import torch

from nestmat.config.loading import study_from
from nestmat.design.members import load_members
from nestmat.design.problem import build_design
from nestmat.logs import job_log
from nestmat.search.screening import Screening, screen_chunk


def main(snakemake: Any) -> None:
    """Map the rule onto `nestmat.search.screening.screen_chunk`."""
    with job_log(snakemake.log[0]):
        torch.set_num_threads(snakemake.threads)
        members = load_members(snakemake.params.members, snakemake.input.members)
        design = build_design(study_from(snakemake.params.study), snakemake.wildcards.problem, members)
        given = design.config.screen
        screen_chunk(
            design.problem,
            snakemake.output.table,
            Screening(keep=given.keep, sample=given.sample),
            int(snakemake.wildcards.chunk),
            given.chunks,
            units=design.units,
            facts={"problem": design.name},
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
