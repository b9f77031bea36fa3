"""Predict the rows of a child scale with the recommended stack of its parent, in every fold.

In: the stack's weights, its networks, its baselines' predictions for the child, the child's rows with the
parent's features, and the latents of the parent's own parents for these rows. Out: predictions in the units
of the parent's targets, of every member of the protocol.
"""

from typing import Any

from nestmat.evaluation.propagate_predictions import NetworkFiles, propagate_predictions
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule's files and parameters to `propagate_predictions`."""
    files, params = snakemake.input, snakemake.params
    latents = list(zip(params.readers, params.parents, files.parents, strict=True))
    networks = {
        model: NetworkFiles(
            weights, card, {parent: path for reader, parent, path in latents if reader == model}
        )
        for model, weights, card in zip(params.models, files.weights, files.cards, strict=True)
    }
    with job_log(snakemake):
        propagate_predictions(
            files.stack,
            files.features,
            snakemake.output.predictions,
            child=snakemake.wildcards.child,
            networks=networks,
            baselines=files.baselines,
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
