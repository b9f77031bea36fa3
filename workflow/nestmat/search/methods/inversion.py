"""Known materials, decoded from their own latents with the targets set to their goals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nestmat.errors import InputError
from nestmat.search.candidates import Candidates
from nestmat.search.methods.base import SearchContext, SearchMethod
from nestmat.search.methods.conditional_decoder import (
    ConditionalDecoder,
    meets_first_target,
    ranked_candidates,
)
from nestmat.search.methods.registry import METHODS
from nestmat.search.problem import Problem


@METHODS.register("inversion")
@dataclass(frozen=True)
class Inversion(SearchMethod):
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

    needs_known_materials: ClassVar[bool] = True

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

    def bind(self, context: SearchContext) -> BoundInversion:
        """The method with known materials to start from; random ones of the space where there are none."""
        return BoundInversion(self, context.known_materials())


@dataclass(frozen=True)
class BoundInversion(SearchMethod):
    """An `Inversion` of known materials.

    Attributes:
        settings: How it is done.
        known: Materials to start from, (n, columns).
    """

    settings: Inversion
    known: NDArray[np.float64]

    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search; as `SearchMethod.propose`.

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
        return ranked_candidates(x, problem.evaluate(x), evaluations + len(x), details)

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
        return meets_first_target(problem, problem.evaluate(x), self.settings.accept)
