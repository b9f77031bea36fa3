"""Alloys decoded from the latents of a semi-supervised model, with the targets set to what is wanted.

The ways of Zeng, Khan and Post (arXiv 2409.06740, 2024) from wanted properties to materials: decode draws of
the prior, scan a patch of the latents, and invert known materials, each within a space whose rules hold
exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from nestmat.errors import InputError
from nestmat.search.candidates import Candidates
from nestmat.search.problem import Problem, Target, order
from nestmat.search.spaces.product import Product
from nestmat.search.spaces.simplex import Simplex
from nestmat.search.surrogate import Surrogate

ROUNDED = 0.02
"""Largest share of the atoms of an alloy that rounding to a grid may change."""
ABSENT = 1e-6
"""Share of an element that is decoded to none, times how likely it is there: where the rules of the space ask
for more elements, the likeliest come first."""
SMALLEST = 1e-30
"""Stands for a share of 0 where a logarithm is taken."""


def wanted_value(target: Target) -> float:
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
        if found is None or len(space.shares) != 1 or not set(space.shares[0].columns) <= set(columns):
            raise InputError(
                "does not decode the shares of the space for wanted targets.",
                column=f"scales.{self.scale}",
                remedy="search with a semi-supervised model of compositions of the elements of the space.",
            )
        self.latents, self.members = found
        self.member = member % self.members
        self._places = [list(columns).index(name) for name in space.shares[0].columns]
        self.wanted = {
            target.quantity.partition(".")[2]: wanted_value(target)
            for target in problem.targets
            if target.quantity.partition(".")[0] == self.scale
        }

    @property
    def shares(self) -> Simplex:
        """The factor of the space that is decoded."""
        return self.space.shares[0]

    def part(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shares (n, species) of materials (n, columns)."""
        return self.space.split(x)[self.space.factors.index(self.shares)]

    def replaced(self, x: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Canonical materials with the numbers of ``x`` and other shares (n, species), by the rules.

        The space chooses the elements that are present by what is wished for, and fills their shares up in
        proportion.
        """
        parts = self.space.split(x)
        free = torch.from_numpy(np.log(np.maximum(shares, SMALLEST)))
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
        shares = (block + ABSENT * likely)[0, :, self._places].clamp_min(SMALLEST)
        return (shares / shares.sum(dim=1, keepdim=True)).numpy()

    def prior(self, n: int, seed: Sequence[int]) -> NDArray[np.float64]:
        """Draws of z, (n, latents)."""
        spread = self.surrogate.chain.latent_std(self.scale)
        return spread * np.random.default_rng(seed).normal(size=(n, self.latents))


def _enough(problem: Problem, table: pd.DataFrame, value: float) -> NDArray[np.bool_]:
    """Whether the first target reaches a value and every constraint is kept, (n,)."""
    target = problem.targets[0]
    if target.goal not in ("maximise", "minimise"):
        raise InputError(
            "goes with a target of which as much or as little as possible is wanted.",
            column="options.accept",
            value=value,
            remedy="give the target a goal, or search in another way.",
        )
    mean = table[f"{target.quantity}.mean"].to_numpy()
    reached = mean >= value if target.goal == "maximise" else mean <= value
    return reached & (table["violation"].to_numpy() == 0)


def _sorted(
    x: NDArray[np.float64], table: pd.DataFrame, evaluations: int, details: Mapping[str, Any]
) -> Candidates:
    best = order(table)
    return Candidates(x[best], table.iloc[best].reset_index(drop=True), evaluations, details)


@dataclass(frozen=True)
class Decode:
    """Draw z from its prior, decode it with the wanted targets, and keep what fits.

    Attributes:
        samples: Materials to draw.
        near: Largest share of atoms that the rules of the space may change in what is decoded; None to keep
            all.
        accept: What the first target must reach by the searched model, where as much or as little as
            possible is wanted; None to keep all.
    """

    samples: int = 5000
    near: float | None = None
    accept: float | None = None

    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search; as `nestmat.search.candidates.SearchMethod`.

        The details tell how many were ``sampled``, how many of them the rules of the space left as they were,
        but for `ROUNDED` of their atoms (``inside``), how many were ``kept``, and the share of atoms that the
        rules ``changed`` on average.

        Raises:
            InputError: As `ConditionalDecoder`, or the budget is too small.
        """
        if self.samples > budget:
            raise InputError(
                "is too small for the samples.", column="budget", value=budget, remedy="give fewer samples."
            )
        decoder = ConditionalDecoder(problem, seed)
        decoded = decoder.decode(decoder.prior(self.samples, [seed, 0]))
        x = decoder.replaced(problem.space.sample(self.samples, [seed, 1]), decoded)
        changed = decoder.shares.distance(decoded, decoder.part(x))
        keep = np.ones(len(x), dtype=bool) if self.near is None else changed <= self.near
        details: dict[str, Any] = {
            "sampled": len(x),
            "inside": int((changed <= ROUNDED).sum()),
            "changed": float(changed.mean()),
        }
        x = x[keep]
        table, evaluations = problem.evaluate(x), len(x)
        if self.accept is not None:
            rows = np.flatnonzero(_enough(problem, table, self.accept))
            x, table = x[rows], table.iloc[rows]
        return _sorted(x, table, evaluations, details | {"kept": len(x)})


@dataclass(frozen=True)
class Scan:
    """Decode a square patch of two latents, the others at 0, with the wanted targets.

    Attributes:
        axes: The two latents, counted from 0.
        low: Lower end of both.
        high: Upper end of both.
        points: Points along each.
    """

    axes: tuple[int, int] = (0, 1)
    low: float = -2.0
    high: float = 2.0
    points: int = 5

    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search; as `nestmat.search.candidates.SearchMethod`.

        The details hold the ``patch``: both latents, formula, and what is predicted at each point.

        Raises:
            InputError: As `ConditionalDecoder`, there are no such latents, or the budget is too small.
        """
        decoder = ConditionalDecoder(problem, seed)
        if not all(0 <= axis < decoder.latents for axis in self.axes) or len(set(self.axes)) < 2:
            raise InputError(
                "are not two latents.",
                column="axes",
                value=self.axes,
                remedy=f"choose from 0 to {decoder.latents - 1}.",
            )
        if self.points**2 > budget:
            raise InputError("is too small for the points.", column="budget", value=budget)
        along = np.linspace(self.low, self.high, self.points)
        z = np.zeros((self.points**2, decoder.latents))
        z[:, self.axes] = list(product(along, along))
        x = decoder.replaced(problem.space.sample(len(z), [seed, 1]), decoder.decode(z))
        table = problem.evaluate(x)
        patch = pd.DataFrame(z[:, self.axes], columns=["first", "second"])
        patch["formula"] = problem.space.formulas(x)
        quantity = problem.targets[0].quantity
        patch["predicted"] = table[f"{quantity}.mean"].to_numpy()
        details = {"axes": list(self.axes), "patch": patch.to_dict("list")}
        return _sorted(x, table, len(x), details)


@dataclass(frozen=True)
class Inversion:
    """Take materials that miss what is wanted, and decode their own z with the wanted targets, until they do.

    Attributes:
        starts: Largest number of materials to start from.
        shares: Shares of the way from a material to what is decoded that are tried, in this order; the first
            that reaches enough is taken, else the last is gone and the material decoded anew. As published
            the whole way is gone at once: 1.
        steps: Most times that a material is decoded.
        accept: What the first target must reach by the searched model, where as much or as little as
            possible is wanted; 0.6 as published.
        within: Largest share of its atoms that a material may change; None for any.
    """

    starts: int = 200
    shares: tuple[float, ...] = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7, 1.0)
    steps: int = 10
    accept: float = 0.6
    within: float | None = None

    def __post_init__(self) -> None:
        if (
            not self.shares
            or list(self.shares) != sorted(self.shares)
            or not 0 < self.shares[0] <= self.shares[-1] <= 1
        ):
            raise InputError(
                "are not shares of a way in rising order.",
                column="options.shares",
                value=list(self.shares),
                remedy="give numbers above 0 and up to 1.",
            )

    def bind(self, known: NDArray[np.float64]) -> BoundInversion:
        """The method with known materials (n, columns) to start from, none for random ones of the space."""
        return BoundInversion(self, known)


@dataclass(frozen=True)
class BoundInversion:
    """An `Inversion` of known materials.

    Attributes:
        settings: How it is done.
        known: Materials to start from, (n, columns).
    """

    settings: Inversion
    known: NDArray[np.float64]

    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search; as `nestmat.search.candidates.SearchMethod`.

        Proposed is what reached enough. The details tell how many ``started``, how many ``reached`` what is
        wanted, in how many ``steps`` on average, and which share of their atoms ``moved``.

        Raises:
            InputError: As `ConditionalDecoder`, or the budget is too small.
        """
        settings, random = self.settings, np.random.default_rng([seed, 2])
        decoder = ConditionalDecoder(problem, seed)
        begin = random.permutation(self.known) if len(self.known) else problem.space.sample(budget, [seed, 3])
        # Half of the budget at most is spent on what misses it.
        begin = begin[: budget // 2]
        most = (budget - len(begin)) // (1 + (settings.steps + 1) * len(settings.shares))
        if most < 1:
            raise InputError(
                "is too small for the steps.", column="budget", value=budget, remedy="give fewer steps."
            )
        evaluations = len(begin)
        begin = begin[~self._reached(problem, begin)][: min(settings.starts, most)]
        here, reached = begin.copy(), np.zeros(len(begin), dtype=bool)
        steps = np.zeros(len(begin))
        for _ in range(settings.steps):
            left = ~reached
            steps += left
            shares, decoded = decoder.part(here), decoder.decode(decoder.encode(here))
            used, met = self._along(problem, decoder, here, decoded - shares, left)
            evaluations += used
            reached |= met
            if reached.all():
                break
        # The way was not straight: what lies between may be enough as well.
        direct = decoder.part(here) - decoder.part(begin)
        shorter = begin.copy()
        used, met = self._along(problem, decoder, shorter, direct, reached)
        evaluations += used
        here[met] = shorter[met]
        moved = decoder.shares.distance(decoder.part(begin), decoder.part(here))
        if settings.within is not None:
            reached &= moved <= settings.within
        details: dict[str, Any] = {"started": len(begin), "reached": int(reached.sum())}
        if reached.any():
            details |= {"steps": float(steps[reached].mean()), "moved": float(moved[reached].mean())}
        x = here[reached]
        return _sorted(x, problem.evaluate(x), evaluations + len(x), details)

    def _along(
        self,
        problem: Problem,
        decoder: ConditionalDecoder,
        x: NDArray[np.float64],
        way: NDArray[np.float64],
        rows: NDArray[np.bool_],
    ) -> tuple[int, NDArray[np.bool_]]:
        """Move some materials the shortest of the shares of a way that reaches enough, else the last.

        Args:
            problem: What is wanted.
            decoder: Makes materials of shares.
            x: Materials (n, columns); moved in place.
            way: Difference of shares, (n, species).
            rows: Which materials to move, (n,).

        Returns:
            Number of predictions, and which materials reached enough, (n,).
        """
        start, used, reached = x.copy(), 0, np.zeros(len(x), dtype=bool)
        for share in self.settings.shares:
            left = np.flatnonzero(rows & ~reached)
            if not len(left):
                break
            x[left] = decoder.replaced(start[left], decoder.part(start[left]) + share * way[left])
            used += len(left)
            reached[left] = self._reached(problem, x[left])
        return used, reached

    def _reached(self, problem: Problem, x: NDArray[np.float64]) -> NDArray[np.bool_]:
        return _enough(problem, problem.evaluate(x), self.settings.accept)
