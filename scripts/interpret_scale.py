"""Interpret the members of one trained model.

Inputs: weights and card of the model, features, its latents, propagated latents of its parents.
Outputs: correlations of the latents (no unit), attributions of inputs in the unit of what they explain.
"""

from typing import Any

from nestmat.evaluation.interpretability.scale import interpret_scale
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `interpret_scale`."""
    with job_log(snakemake.log[0]):
        interpret_scale(
            weights=snakemake.input.weights,
            card=snakemake.input.card,
            features=snakemake.input.features,
            latents=snakemake.input.latents,
            parents=dict(zip(snakemake.params.parents, snakemake.input.parents, strict=True)),
            correlations=snakemake.output.correlations,
            shapley=snakemake.output.shapley,
            groups=snakemake.params.interpret["groups"],
            permutations=snakemake.params.interpret["permutations"],
            background=snakemake.params.interpret["background"],
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
