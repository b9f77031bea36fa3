"""Stack the recommended predictor, with equal weights or those learned inside the training folds.

Inputs: predictions of the stack's members, features and folds of the scale. Outputs: predictions of the
stack, in the unit of the target, its weights with its spread, and the domain of the rows that train it.
"""

from typing import Any

from nestmat.evaluation.stack import StackFiles, recommend_predictor
from nestmat.evaluation.standings import StackedScale
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `recommend_predictor`."""
    with job_log(snakemake):
        recommend_predictor(
            predictions=snakemake.input.predictions,
            stack=snakemake.params.recommended["stack"],
            scale=StackedScale(
                snakemake.wildcards.scale,
                snakemake.input.features,
                snakemake.input.folds,
                snakemake.params.blocks,
            ),
            outputs=StackFiles(
                snakemake.output.predictions, snakemake.output.weights, snakemake.output.domain
            ),
            learned=snakemake.params.recommended["weights"] == "learned",
            classes=snakemake.params.classes,
            fold=snakemake.params.fold,
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
