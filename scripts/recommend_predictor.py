"""Stack the recommended predictor, with equal weights or those learned inside the training folds.

Inputs: predictions of the stack's members. Outputs: predictions of the stack, in the unit of the target,
and its weights.
"""

from typing import Any

from nestmat.evaluation.stack import recommend_predictor
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `recommend_predictor`."""
    with job_log(snakemake):
        recommend_predictor(
            predictions=snakemake.input.predictions,
            stack=snakemake.params.recommended["stack"],
            output=snakemake.output.predictions,
            weights=snakemake.output.weights,
            learned=snakemake.params.recommended["weights"] == "learned",
            classes=snakemake.params.classes,
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
