"""Alloys decoded from the latents of a semi-supervised model, with the targets set to their goals.

The methods of Zeng, Khan and Post (arXiv 2409.06740, 2024) from target properties to materials: decode draws
of the prior, scan a patch of the latents, and invert known materials, each within a space whose rules hold
exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat.deferred import no_grad, torch
from nestmat.errors import InputError
from nestmat.search.candidates import Candidates
from nestmat.search.problem import Problem, Target, order
from nestmat.search.spaces.simplex import SMALLEST_FRACTION, Simplex

ROUNDED = 0.02
"""Largest share of the atoms of an alloy that rounding to a grid may change."""
ABSENT = 1e-6
"""Fraction of an element that is decoded to none, times the probability of its presence: where the rules of
the space require more elements, the most probable ones come first."""


def target_value(target: Target) -> float:
    """Value that a target has among the latents: 1 or 0 for a quantity to maximise or minimise."""
    if target.goal == "range":
        return 0.5 * (target.low + target.high)
    return {"value": target.low, "maximise": 1.0, "minimise": 0.0}[target.goal]


class ConditionalDecoder:
    """Decoder of a member of a semi-supervised scale, to materials of a space.

    Args:
        problem: A problem in a space with one composition; the first target names the scale.
        member: Number of the member that encodes and decodes, modulo their number.

    Attributes:
        scale: The scale.
        n_latents: Number of z.
        n_members: Number of members.
        condition: Values of the targets of the scale, by target.

    Raises:
        InputError: The scale has no semi-supervised model, or does not decode the composition of the space.
    """

    def __init__(self, problem: Problem, member: int = 0):
        # The chain of networks imports torch.
        from nestmat.search.surrogate import chain_and_space

        self.surrogate, self.space = chain_and_space(problem)
        self.scale = problem.targets[0].quantity.partition(".")[0]
        chain = self.surrogate.chain
        sizes = chain.conditions(self.scale) if self.scale in chain.scales else None
        blocks = chain.fractions(self.scale) if sizes else {}
        [columns] = blocks.values() or [()]
        factors = self.space.composition_factors
        if sizes is None or len(factors) != 1 or not set(factors[0].columns) <= set(columns):
            raise InputError(
                f"The model of the scale {self.scale!r} does not decode the composition of the space for "
                "its targets.",
                key=f"scales.{self.scale}",
                remedy="search with a semi-supervised model of compositions of the elements of the space.",
            )
        self.n_latents, self.n_members = sizes
        self.member = member % self.n_members
        self._places = [list(columns).index(name) for name in factors[0].columns]
        self.condition = {
            target.quantity.partition(".")[2]: target_value(target)
            for target in problem.targets
            if target.quantity.partition(".")[0] == self.scale
        }

    @property
    def composition(self) -> Simplex:
        """The factor of the space that is decoded."""
        return self.space.composition_factors[0]

    def fractions(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Fractions (n, species) of materials (n, columns)."""
        return self.space.split(x)[self.space.factors.index(self.composition)]

    def replace_composition(
        self, x: NDArray[np.float64], fractions: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Canonical materials with the other numbers of ``x`` (n, columns) and new fractions (n, species).

        The rules of the space choose the elements that are present by their fractions, and scale these.
        """
        parts = self.space.split(x)
        free = torch.from_numpy(np.log(np.maximum(fractions, SMALLEST_FRACTION)))
        parts[self.space.factors.index(self.composition)] = self.composition.from_free(free).numpy()
        return self.space.canonical(np.concatenate(parts, axis=1))

    @no_grad
    def encode(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Latents z (n, latents) of materials (n, columns), for the classes that the member predicts."""
        latents = self.surrogate.encode(self.scale, torch.from_numpy(x))[self.member]
        return latents[:, : self.n_latents].double().numpy()

    @no_grad
    def decode(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Fractions (n, species), of sum 1, to which z (n, latents) are decoded under the condition.

        Elements outside of the space are left out; elements that are absent get `ABSENT` at most.
        """
        chain = self.surrogate.chain
        latents = chain.with_targets(self.scale, torch.from_numpy(z), self.condition, self.member)
        [block] = chain.decode(self.scale, latents[None], self.member).values()
        presence = chain.presence(self.scale, latents[None], self.member)
        fractions = (block + ABSENT * presence)[0, :, self._places].clamp_min(SMALLEST_FRACTION)
        return (fractions / fractions.sum(dim=1, keepdim=True)).numpy()

    def sample_prior(self, n: int, seed: Sequence[int]) -> NDArray[np.float64]:
        """Draws of z, (n, latents)."""
        std = self.surrogate.chain.latent_std(self.scale)
        return std * np.random.default_rng(seed).normal(size=(n, self.n_latents))


def meets_first_target(problem: Problem, table: pd.DataFrame, value: float) -> NDArray[np.bool_]:
    """Whether the mean of the first target reaches a value and all constraints are kept, (n,).

    Args:
        problem: The design problem.
        table: Predictions of n materials.
        value: Smallest or largest mean, where the target is maximised or minimised.

    Raises:
        InputError: The target is neither maximised nor minimised.
    """
    target = problem.targets[0]
    if target.goal not in ("maximise", "minimise"):
        raise InputError(
            "The option `accept` needs a first target that is maximised or minimised.",
            key="accept",
            value=value,
            remedy="give the target a goal, or choose another search method.",
        )
    mean = table[target.mean_column].to_numpy()
    reached = mean >= value if target.goal == "maximise" else mean <= value
    return reached & (table["violation"].to_numpy() == 0)


def ranked_candidates(
    x: NDArray[np.float64], table: pd.DataFrame, evaluations: int, details: Mapping[str, Any]
) -> Candidates:
    """Candidates, best first, of materials (n, columns) and their predictions in any order."""
    best = order(table)
    return Candidates(x[best], table.iloc[best].reset_index(drop=True), evaluations, details)
