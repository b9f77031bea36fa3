"""Judge the candidates of all methods of a design problem.

In: the searched members, the data sets of the scales that predict, candidates. Out: candidates with what each
judge predicts of them; rates with intervals for each method, seed and judge.
"""

from typing import Any

from nestmat.design.judging import judge_candidates
from nestmat.design.opening import open_design
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `nestmat.design.judging.judge_candidates`."""
    with job_log(snakemake):
        design = open_design(snakemake)
        judge_candidates(
            design,
            snakemake.input.candidates,
            snakemake.input.runs,
            snakemake.output.judged,
            snakemake.output.metrics,
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
