"""Interpretation of one trained scale: associations of its latents and contributions of its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nestmat import tables
from nestmat.interpretation.correlations import CORRELATIONS, correlation_table
from nestmat.interpretation.members import Explained, InterpretedModel
from nestmat.interpretation.shapley import ATTRIBUTIONS, SHAPLEY, attribution_table, shapley_table

OUTPUTS: Mapping[str, tables.Schema] = {
    "correlations": CORRELATIONS,
    "shapley": SHAPLEY,
    "attributions": ATTRIBUTIONS,
}
"""Tables of an interpretation, by name."""


@dataclass(frozen=True)
class Effort:
    """How finely a model is explained.

    Attributes:
        groups: Named groups of input columns or of whole blocks; more than 12 inputs or groups are explained
            by permutation importance.
        permutations: Permutations for each p-value.
        background: Training rows a fold that stand for a missing input.
        seed: Seed of all draws.
    """

    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    permutations: int = 999
    background: int = 64
    seed: int = 0


def interpret_scale(model: InterpretedModel, effort: Effort, outputs: Mapping[str, str | Path]) -> None:
    """Interpret the members of the first repeat of one trained model, and write the tables.

    Args:
        model: Files of the model.
        effort: Groups of inputs, and numbers of draws.
        outputs: Where tables are written, by name: keys of `OUTPUTS`.

    Raises:
        InputError: A file is missing or does not fit the others, or a group is not made of inputs.
    """
    explained = Explained.read(model)
    trained = explained.trained
    reference = explained.members.iloc[explained.alignment.reference]
    provenance = {
        "scale": trained.scale,
        "protocol": trained.protocol,
        "model": trained.model,
        "rows": int(explained.covered.sum()),
        "members": len(explained.members),
        "reference": {key: int(reference[key]) for key in ("repeat", "fold", "seed")},
        "seed": effort.seed,
    }
    for name, path in outputs.items():
        if name == "correlations":
            table = correlation_table(explained, effort.permutations, effort.seed)
            draws = {"permutations": effort.permutations}
        else:
            tabulate = {"shapley": shapley_table, "attributions": attribution_table}[name]
            table = tabulate(explained, effort.groups, effort.background, effort.seed)
            draws = {"background": effort.background}
        tables.write(path, table, OUTPUTS[name], {**provenance, **draws})
