"""Random materials of the space: the reference for all other methods."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from nestmat.search.candidates import Archive, Candidates
from nestmat.search.methods.base import SearchMethod
from nestmat.search.methods.registry import METHODS
from nestmat.search.problem import Problem


@METHODS.register("random")
@dataclass(frozen=True)
class RandomSearch(SearchMethod):
    """Draw materials uniformly from the grid and propose the best.

    Attributes:
        keep: Candidates to propose.
        batch: Materials predicted at once.
    """

    is_reference: ClassVar[bool] = True
    draws_uniformly: ClassVar[bool] = True

    keep: int = field(default=1000, metadata={"ge": 1})
    batch: int = field(default=20_000, metadata={"ge": 1})

    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search; as `SearchMethod.propose`."""
        archive = Archive(problem, self.keep)
        for batch, start in enumerate(range(0, budget, self.batch)):
            size = min(self.batch, budget - start)
            archive.add(problem.space.sample(size, seed=[seed, batch]))
        return archive.candidates()
