"""Every material of the space, ranked: the best that a search of the same model can find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nestmat.errors import InputError
from nestmat.search.candidates import Candidates, Shortlist
from nestmat.search.methods.base import SearchMethod
from nestmat.search.methods.registry import METHODS
from nestmat.search.problem import Problem


@METHODS.register("ranking")
@dataclass(frozen=True)
class Ranking(SearchMethod):
    """Predict every material of the grid and keep the best.

    Attributes:
        keep: Candidates to propose.
        batch: Materials predicted at once; more than fit into the cache of a processor slow it down.
    """

    is_reference: ClassVar[bool] = True
    enumerates_space: ClassVar[bool] = True

    keep: int = 1000
    batch: int = 4096

    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search; as `SearchMethod.propose`. Nothing is drawn.

        Raises:
            InputError: The space has more materials than the budget, or has no grid.
        """
        count = problem.space.n_materials
        if count is None or count > budget:
            raise InputError(
                f"does not reach for the {'endless' if count is None else count} materials of the space.",
                column="budget",
                value=budget,
                remedy="raise the budget, or choose coarser grids.",
            )
        found = Shortlist(problem, self.keep)
        for chunk in problem.space.enumerate(self.batch):
            found.add(chunk)
        return found.candidates()
