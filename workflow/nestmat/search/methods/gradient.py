"""Gradients through the trained chain, along the free numbers of the space itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from nestmat.search.candidates import Candidates
from nestmat.search.methods.descent import Descent
from nestmat.search.methods.registry import METHODS
from nestmat.search.problem import Problem
from nestmat.search.spaces.base import DesignSpace


@dataclass(frozen=True)
class FreeNumbers:
    """The free numbers of a space as coordinates.

    Attributes:
        space: The space.
    """

    space: DesignSpace

    def from_free(self, u: Tensor) -> Tensor:
        """Materials (n, columns) of free numbers (n, free)."""
        return self.space.from_free(u)

    def to_free(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Free numbers (n, free) of materials (n, columns)."""
        return self.space.to_free(x)

    def draw(self, n: int, seed: Sequence[int]) -> NDArray[np.float64]:
        """Free numbers of random materials, (n, free)."""
        return self.space.to_free(self.space.sample(n, seed))

    def beyond(self, u: Tensor) -> Tensor:
        """None, (n, 0): any numbers will do."""
        return u.new_zeros(len(u), 0)


@METHODS.register("gradient")
@dataclass(frozen=True)
class Gradient(Descent):
    """Descent along the free numbers of the space: shares before a softmax, numbers before a sigmoid."""

    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search; as `SearchMethod.propose`.

        Raises:
            InputError: The space has no free numbers, or the budget is too small for two materials to move.
        """
        return self.descend(problem, FreeNumbers(problem.space), budget, seed)[0].candidates()
