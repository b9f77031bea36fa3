"""Interpret the members of one trained model.

In: weights and card of the model, features, its latents, propagated latents of its parents. Out: correlations
of the latents (no unit), attributions of inputs in the unit of what they explain, and of every row where that
is the probability of a class.
"""

from typing import Any

from nestmat.interpretation.interpret import OUTPUTS, Effort, interpret_scale
from nestmat.interpretation.members import InterpretedModel
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule's files and parameters to `interpret_scale`."""
    with job_log(snakemake):
        model = InterpretedModel(
            weights=str(snakemake.input.weights),
            features=snakemake.input.features,
            latents=str(snakemake.input.latents),
            card=str(snakemake.input.card),
            parents=dict(zip(snakemake.params.parents, snakemake.input.parents, strict=True)),
        )
        settings = snakemake.params.interpret
        effort = Effort(**{name: settings[name] for name in ("groups", "permutations", "background")})
        interpret_scale(model, effort, {name: getattr(snakemake.output, name) for name in OUTPUTS})


if "snakemake" in globals():
    main(globals()["snakemake"])
