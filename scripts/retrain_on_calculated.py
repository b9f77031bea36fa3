"""Learn from calculated candidates.

In: members that were trained on every row; the data set of their finest scale that predicts; calculated
candidates. Out: predictions of each calculated row by members that saw no candidate, and by members that saw
the other half.
"""

from typing import Any

from nestmat.design.opening import open_design
from nestmat.design.retraining import retrain_on_calculated
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `nestmat.design.retraining.retrain_on_calculated`."""
    with job_log(snakemake):
        design = open_design(snakemake)
        retrain_on_calculated(design, snakemake.input.calculated, snakemake.output.rounds)


if "snakemake" in globals():
    main(globals()["snakemake"])
