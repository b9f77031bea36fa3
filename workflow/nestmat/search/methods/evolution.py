"""What evolutionary searches share: children of two materials, on the grid of the space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nestmat.search.methods.base import SearchMethod
from nestmat.search.spaces.product import Product


@dataclass(frozen=True)
class Evolution(SearchMethod):
    """Exchange of whole sites between two parents, and mutation.

    Every child is a material of the grid: parts are exchanged between parents that are, or mixed and snapped.

    Attributes:
        keep: Candidates to propose.
        population: Materials of a generation.
        mutation: Probability that a site or variable of a child takes a step on the grid.
        jump: Probability that it is drawn anew instead.
        mixing: Probability that a child lies between its parents instead of having the part of one of them.
    """

    keep: int = 1000
    population: int = 200
    mutation: float = 0.4
    jump: float = 0.05
    mixing: float = 0.5

    def children(
        self,
        space: Product,
        mother: NDArray[np.float64],
        father: NDArray[np.float64],
        random: np.random.Generator,
    ) -> NDArray[np.float64]:
        """One child of each pair of canonical materials (n, columns); canonical, (n, columns)."""
        n = len(mother)
        parts = []
        start = 0
        for factor in space.factors:
            here = slice(start, start + len(factor.columns))
            start = here.stop
            mixed = random.random(n) < self.mixing
            share = np.where(mixed, random.random(n), random.integers(2, size=n))[:, None]
            child = factor.snap(share * mother[:, here] + (1 - share) * father[:, here])
            change = random.random(n)[:, None]
            stepped = np.where(change < self.mutation, factor.random_neighbour(child, random), child)
            parts.append(np.where(change > 1 - self.jump, factor.sample(n, random), stepped))
        return space.canonical(np.concatenate(parts, axis=1))
