"""Known materials, decoded from their own latents with the targets set to their goals."""

from __future__ import annotations

from dataclasses import dataclass, field
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
    """Decode known materials that miss the target from their own z, with the target set to its goal.

    Attributes:
        starts: Largest number of materials to start from.
        shares: Fractions of the path from a material to its decoded composition, in ascending order. A
            material moves by the first one that reaches the target; where none does, by the last one, and is
            decoded again. As published only the whole path is taken: 1.
        steps: Largest number of times that a material is decoded.
        accept: Threshold for the predicted mean of the first target, which is maximised or minimised; 0.6 as
            published.
        within: Largest share of its atoms that a material may change; None for any.
    """

    needs_known_materials: ClassVar[bool] = True

    starts: int = field(default=200, metadata={"ge": 1})
    shares: tuple[float, ...] = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7, 1.0)
    steps: int = field(default=10, metadata={"ge": 1})
    accept: float = 0.6
    within: float | None = field(default=None, metadata={"ge": 0, "le": 1})

    def __post_init__(self) -> None:
        if (
            not self.shares
            or list(self.shares) != sorted(self.shares)
            or not 0 < self.shares[0] <= self.shares[-1] <= 1
        ):
            raise InputError(
                "The shares of an inversion are not fractions of a path in ascending order.",
                key="shares",
                value=list(self.shares),
                remedy="give numbers above 0 and up to 1.",
            )

    def bind(self, context: SearchContext) -> BoundInversion:
        """The method with known materials to start from; random ones of the space where there are none."""
        return BoundInversion(self, context.known_materials())

    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search without what a study provides; as `BoundInversion.propose`."""
        return self.bind(SearchContext()).propose(problem, budget, seed)


@dataclass(frozen=True)
class BoundInversion(SearchMethod):
    """An `Inversion` of known materials.

    Attributes:
        settings: Options of the inversion.
        known_materials: Materials to start from, (n, columns).
    """

    settings: Inversion
    known_materials: NDArray[np.float64]

    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search; as `SearchMethod.propose`.

        Materials that reached the target are proposed. The details report how many ``started``, how many
        ``reached`` the target, in how many ``steps`` on average, and which share of their atoms ``moved``.

        Raises:
            InputError: As `ConditionalDecoder`, or the budget is too small.
        """
        settings = self.settings
        decoder = ConditionalDecoder(problem, seed)
        starts, evaluations = self._starts(problem, budget, seed)
        x, reached = starts.copy(), np.zeros(len(starts), dtype=bool)
        steps = np.zeros(len(starts))
        for _ in range(settings.steps):
            pending = ~reached
            steps += pending
            fractions, decoded = decoder.fractions(x), decoder.decode(decoder.encode(x))
            used, met = self._move(problem, decoder, x, decoded - fractions, pending)
            evaluations += used
            reached |= met
            if reached.all():
                break
        # The path was not straight: a point on the straight one may reach the target as well.
        straight = decoder.fractions(x) - decoder.fractions(starts)
        shorter = starts.copy()
        used, met = self._move(problem, decoder, shorter, straight, reached)
        evaluations += used
        x[met] = shorter[met]
        moved = decoder.composition.distance(decoder.fractions(starts), decoder.fractions(x))
        if settings.within is not None:
            reached &= moved <= settings.within
        details: dict[str, Any] = {"started": len(starts), "reached": int(reached.sum())}
        if reached.any():
            details |= {"steps": float(steps[reached].mean()), "moved": float(moved[reached].mean())}
        x = x[reached]
        return ranked_candidates(x, problem.evaluate(x), evaluations + len(x), details)

    def _starts(self, problem: Problem, budget: int, seed: int) -> tuple[NDArray[np.float64], int]:
        """Materials (n, columns) that miss the target, and the number of predictions to find them."""
        settings, random = self.settings, np.random.default_rng([seed, 2])
        if len(self.known_materials):
            pool = random.permutation(self.known_materials)
        else:
            pool = problem.space.sample(budget, [seed, 3])
        # At most half of the budget is spent on finding materials that miss the target.
        pool = pool[: budget // 2]
        largest = (budget - len(pool)) // (1 + (settings.steps + 1) * len(settings.shares))
        if largest < 1:
            raise InputError(
                f"The budget of {budget} is too small for {settings.steps} steps.",
                key="budget",
                remedy="raise the budget, or give fewer steps.",
            )
        missed = pool[~self._meets_target(problem, pool)]
        return missed[: min(settings.starts, largest)], len(pool)

    def _move(
        self,
        problem: Problem,
        decoder: ConditionalDecoder,
        x: NDArray[np.float64],
        direction: NDArray[np.float64],
        rows: NDArray[np.bool_],
    ) -> tuple[int, NDArray[np.bool_]]:
        """Move materials by the smallest of the shares that reaches the target, else by the last one.

        Args:
            problem: The design problem.
            decoder: Replaces the composition of materials.
            x: Materials (n, columns); moved in place.
            direction: Difference of fractions, (n, species).
            rows: Which materials to move, (n,).

        Returns:
            Number of predictions, and which materials reached the target, (n,).
        """
        start, used, reached = x.copy(), 0, np.zeros(len(x), dtype=bool)
        for share in self.settings.shares:
            pending = np.flatnonzero(rows & ~reached)
            if not len(pending):
                break
            fractions = decoder.fractions(start[pending]) + share * direction[pending]
            x[pending] = decoder.replace_composition(start[pending], fractions)
            used += len(pending)
            reached[pending] = self._meets_target(problem, x[pending])
        return used, reached

    def _meets_target(self, problem: Problem, x: NDArray[np.float64]) -> NDArray[np.bool_]:
        return meets_first_target(problem, problem.evaluate(x), self.settings.accept)
