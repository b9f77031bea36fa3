"""Random materials of the space: what every other method must beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nestmat.search.candidates import Candidates, Shortlist
from nestmat.search.methods.base import SearchMethod
from nestmat.search.methods.registry import METHODS
from nestmat.search.problem import Problem


@METHODS.register("random")
@dataclass(frozen=True)
class RandomSearch(SearchMethod):
    """Draw materials uniformly from the grid and keep the best.

    Attributes:
        keep: Candidates to propose.
        batch: Materials predicted at once.
    """

    is_reference: ClassVar[bool] = True
    draws_uniformly: ClassVar[bool] = True

    keep: int = 1000
    batch: int = 20_000

    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search; as `SearchMethod.propose`."""
        found = Shortlist(problem, self.keep)
        for number, start in enumerate(range(0, budget, self.batch)):
            size = min(self.batch, budget - start)
            found.add(problem.space.sample(size, seed=[seed, number]))
        return found.candidates()
