"""Learn from calculated candidates.

In: members that were trained on every row; the data set of their finest scale that predicts; calculated
candidates. Out: predictions of each calculated row by members that saw no candidate, and by members that saw
the other half.
"""

from typing import Any

import torch

from nestmat.config.loading import study_from
from nestmat.design.members import load_members
from nestmat.design.problem import build_design
from nestmat.design.retraining import second_round
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `nestmat.design.retraining.second_round`."""
    with job_log(snakemake.log[0]):
        torch.set_num_threads(snakemake.threads)
        members = load_members(snakemake.params.members, snakemake.input.members)
        design = build_design(study_from(snakemake.params.study), snakemake.wildcards.problem, members)
        second_round(design, *snakemake.input.files, snakemake.output.rounds)


if "snakemake" in globals():
    main(globals()["snakemake"])
