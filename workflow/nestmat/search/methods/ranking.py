"""Exhaustive ranking of the space: the best that a search of the same model can find."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from nestmat.errors import InputError
from nestmat.search.candidates import Archive, Candidates
from nestmat.search.methods.base import SearchMethod
from nestmat.search.methods.registry import METHODS
from nestmat.search.problem import Problem


@METHODS.register("ranking")
@dataclass(frozen=True)
class Ranking(SearchMethod):
    """Predict every material of the grid and propose the best.

    Attributes:
        keep: Candidates to propose.
        batch: Materials predicted at once; a batch that exceeds the cache of a processor is slower.
    """

    is_reference: ClassVar[bool] = True
    enumerates_space: ClassVar[bool] = True

    keep: int = field(default=1000, metadata={"ge": 1})
    batch: int = field(default=4096, metadata={"ge": 1})

    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search; as `SearchMethod.propose`. Nothing is drawn.

        Raises:
            InputError: The space has more materials than the budget, or has no grid.
        """
        count = problem.space.n_materials
        if count is None or count > budget:
            raise InputError(
                "A space without a grid cannot be ranked."
                if count is None
                else f"The budget of {budget} does not suffice to rank the {count} materials of the space.",
                key="budget",
                remedy="raise the budget, or choose coarser grids.",
            )
        archive = Archive(problem, self.keep)
        for chunk in problem.space.enumerate(self.batch):
            archive.add(chunk)
        return archive.candidates()
