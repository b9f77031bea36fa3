"""Gradient descent through the trained chain, along the unconstrained reals of the space itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nestmat.search.candidates import Candidates
from nestmat.search.methods.descent import Descent
from nestmat.search.methods.registry import METHODS
from nestmat.search.problem import Problem
from nestmat.search.spaces.base import DesignSpace

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class SpaceCoordinates:
    """The unconstrained reals of a space as coordinates.

    Attributes:
        space: The space.
    """

    space: DesignSpace

    def from_free(self, u: Tensor) -> Tensor:
        """Materials (n, columns) of coordinates (n, n_free)."""
        return self.space.from_free(u)

    def to_free(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Coordinates (n, n_free) of materials (n, columns)."""
        return self.space.to_free(x)

    def draw(self, n: int, seed: Sequence[int]) -> NDArray[np.float64]:
        """Coordinates of random materials, (n, n_free)."""
        return self.space.to_free(self.space.sample(n, seed))

    def violations(self, u: Tensor) -> Tensor:
        """None, (n, 0): the coordinates have no constraints."""
        return u.new_zeros(len(u), 0)


@METHODS.register("gradient")
@dataclass(frozen=True)
class Gradient(Descent):
    """Gradient descent in unconstrained reals: fractions before a softmax, numbers before a sigmoid."""

    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search; as `SearchMethod.propose`.

        Raises:
            InputError: The space is a finite table, or the budget is too small for two materials to move.
        """
        return self.descend(problem, SpaceCoordinates(problem.space), budget, seed)[0].candidates()
