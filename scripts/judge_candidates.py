"""Judge the candidates of all methods of a design problem.

In: the searched members, the data sets of the scales that predict, candidates. Out: candidates with what each
judge says of them; rates with intervals for each method, seed and judge.
"""

from typing import Any

import torch

from nestmat.config.loading import study_from
from nestmat.design.judging import judge_candidates
from nestmat.design.members import load_members
from nestmat.design.problem import build_design
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `nestmat.design.judging.judge_candidates`."""
    with job_log(snakemake.log[0]):
        torch.set_num_threads(snakemake.threads)
        members = load_members(snakemake.params.members, snakemake.input.members)
        design = build_design(study_from(snakemake.params.study), snakemake.wildcards.problem, members)
        judge_candidates(
            design,
            dict(zip(design.scales, snakemake.input.data, strict=True)),
            snakemake.input.candidates,
            snakemake.input.runs,
            snakemake.output.judged,
            snakemake.output.metrics,
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
