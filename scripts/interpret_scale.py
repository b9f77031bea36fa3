"""Interpret the members of one trained model.

In: weights and card of the model, features, its latents, propagated latents of its parents. Out: correlations
of the latents (no unit), attributions of inputs in the unit of what they explain, and of every row where that
is the probability of a class.
"""

from typing import Any

from nestmat.interpretation.interpret import interpret_scale
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule's files and parameters to `nestmat.interpretation.interpret.interpret_scale`."""
    with job_log(snakemake):
        effort = snakemake.params.interpret
        interpret_scale(
            str(snakemake.input.weights),
            snakemake.input.features,
            str(snakemake.input.latents),
            snakemake.output.correlations,
            snakemake.output.shapley,
            attributions=snakemake.output.attributions,
            card=str(snakemake.input.card),
            parents=dict(zip(snakemake.params.parents, snakemake.input.parents, strict=True)),
            **{name: effort[name] for name in ("groups", "permutations", "background")},
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
