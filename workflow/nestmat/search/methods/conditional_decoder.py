"""Alloys decoded from the latents of a semi-supervised model, with the targets set to what is wanted.

The ways of Zeng, Khan and Post (arXiv 2409.06740, 2024) from wanted properties to materials: decode draws of
the prior, scan a patch of the latents, and invert known materials, each within a space whose rules hold
exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from nestmat.errors import InputError
from nestmat.search.candidates import Candidates
from nestmat.search.problem import Problem, Target, order
from nestmat.search.spaces.product import Product
from nestmat.search.spaces.simplex import SMALLEST_FRACTION, Simplex
from nestmat.search.surrogate import Surrogate

ROUNDED = 0.02
"""Largest share of the atoms of an alloy that rounding to a grid may change."""
ABSENT = 1e-6
"""Share of an element that is decoded to none, times how likely it is there: where the rules of the space ask
for more elements, the likeliest come first."""


def target_value(target: Target) -> float:
    """What a target is set to among the latents: 1 or 0 where as much or as little as possible is wanted."""
    if target.goal == "range":
        return 0.5 * (target.low + target.high)
    return {"value": target.low, "maximise": 1.0, "minimise": 0.0}[target.goal]


class ConditionalDecoder:
    """What the members of a semi-supervised scale decode, as materials of a space.

    Args:
        problem: Its space, which has one group of shares, and what predicts its materials; the first target
            names the scale.
        member: Number of the member that encodes and decodes; counted on from the last to the first.

    Attributes:
        scale: The scale.
        latents: Number of z.
        members: Number of members.

    Raises:
        InputError: The scale has no semi-supervised model, or does not decode the shares of the space.
    """

    def __init__(self, problem: Problem, member: int = 0):
        space, surrogate = problem.space, problem.predict
        if not isinstance(space, Product) or not isinstance(surrogate, Surrogate):
            raise InputError(
                "has latents only where a trained chain predicts the materials of a product of factors.",
                column="search",
                remedy="search with the models of a study, or with another method.",
            )
        self.space, self.surrogate = space, surrogate
        self.scale = problem.targets[0].quantity.partition(".")[0]
        chain = surrogate.chain
        found = chain.conditions(self.scale) if self.scale in chain.scales else None
        blocks = chain.fractions(self.scale) if found else {}
        [columns] = blocks.values() or [()]
        if (
            found is None
            or len(space.composition_factors) != 1
            or not set(space.composition_factors[0].columns) <= set(columns)
        ):
            raise InputError(
                "does not decode the shares of the space for wanted targets.",
                column=f"scales.{self.scale}",
                remedy="search with a semi-supervised model of compositions of the elements of the space.",
            )
        self.latents, self.members = found
        self.member = member % self.members
        self._places = [list(columns).index(name) for name in space.composition_factors[0].columns]
        self.wanted = {
            target.quantity.partition(".")[2]: target_value(target)
            for target in problem.targets
            if target.quantity.partition(".")[0] == self.scale
        }

    @property
    def shares(self) -> Simplex:
        """The factor of the space that is decoded."""
        return self.space.composition_factors[0]

    def part(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shares (n, species) of materials (n, columns)."""
        return self.space.split(x)[self.space.factors.index(self.shares)]

    def replaced(self, x: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Canonical materials with the numbers of ``x`` and other shares (n, species), by the rules.

        The space chooses the elements that are present by what is wished for, and fills their shares up in
        proportion.
        """
        parts = self.space.split(x)
        free = torch.from_numpy(np.log(np.maximum(shares, SMALLEST_FRACTION)))
        parts[self.space.factors.index(self.shares)] = self.shares.from_free(free).numpy()
        return self.space.canonical(np.concatenate(parts, axis=1))

    @torch.no_grad()
    def encode(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Latents z (n, latents) of materials (n, columns), by the classes that the member takes them for."""
        found = self.surrogate.encode(self.scale, torch.from_numpy(x))[self.member]
        return found[:, : self.latents].double().numpy()

    @torch.no_grad()
    def decode(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shares (n, species) that z (n, latents) and the wanted targets stand for, of sum 1.

        Elements that the space lacks are left out; of those that are absent is `ABSENT` at most.
        """
        chain = self.surrogate.chain
        full = chain.with_targets(self.scale, torch.from_numpy(z), self.wanted, self.member)
        [block] = chain.decode(self.scale, full[None], self.member).values()
        likely = chain.presence(self.scale, full[None], self.member)
        shares = (block + ABSENT * likely)[0, :, self._places].clamp_min(SMALLEST_FRACTION)
        return (shares / shares.sum(dim=1, keepdim=True)).numpy()

    def prior(self, n: int, seed: Sequence[int]) -> NDArray[np.float64]:
        """Draws of z, (n, latents)."""
        spread = self.surrogate.chain.latent_std(self.scale)
        return spread * np.random.default_rng(seed).normal(size=(n, self.latents))


def meets_first_target(problem: Problem, table: pd.DataFrame, value: float) -> NDArray[np.bool_]:
    """Whether the first target reaches a value and every constraint is kept, (n,)."""
    target = problem.targets[0]
    if target.goal not in ("maximise", "minimise"):
        raise InputError(
            "goes with a target of which as much or as little as possible is wanted.",
            column="options.accept",
            value=value,
            remedy="give the target a goal, or search in another way.",
        )
    mean = table[target.mean_column].to_numpy()
    reached = mean >= value if target.goal == "maximise" else mean <= value
    return reached & (table["violation"].to_numpy() == 0)


def ranked_candidates(
    x: NDArray[np.float64], table: pd.DataFrame, evaluations: int, details: Mapping[str, Any]
) -> Candidates:
    """Candidates of materials (n, columns) and what is predicted of them, in any order."""
    best = order(table)
    return Candidates(x[best], table.iloc[best].reset_index(drop=True), evaluations, details)
