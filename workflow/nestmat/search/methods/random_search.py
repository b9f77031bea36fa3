"""Random materials of the space: what every other method must beat."""

from __future__ import annotations

from dataclasses import dataclass

from nestmat.search.candidates import Candidates, Shortlist
from nestmat.search.problem import Problem


@dataclass(frozen=True)
class RandomSearch:
    """Draw materials uniformly from the grid and keep the best.

    Attributes:
        keep: Candidates to propose.
        batch: Materials predicted at once.
    """

    keep: int = 1000
    batch: int = 20_000

    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search; as `nestmat.search.candidates.SearchMethod`."""
        found = Shortlist(problem, self.keep)
        for number, start in enumerate(range(0, budget, self.batch)):
            size = min(self.batch, budget - start)
            found.add(problem.space.sample(size, seed=[seed, number]))
        return found.candidates()
