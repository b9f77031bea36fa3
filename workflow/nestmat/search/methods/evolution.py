"""Crossover and mutation on the grid of a space, which evolutionary searches share."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nestmat.search.methods.base import SearchMethod
from nestmat.search.spaces.product import Product


@dataclass(frozen=True)
class Evolution(SearchMethod):
    """Crossover of whole sites and variables of two parents, and mutation.

    Every child is a material of the grid: factors are exchanged between parents, or mixed and snapped.

    Attributes:
        keep: Candidates to propose.
        population: Materials of a generation.
        mutation: Probability that a site or variable of a child takes a step on the grid.
        jump: Probability that it is drawn at random instead.
        mixing: Probability that a site or variable is a mixture of the parents, not that of one of them.
    """

    keep: int = field(default=1000, metadata={"ge": 1})
    population: int = field(default=200, metadata={"ge": 2})
    mutation: float = field(default=0.4, metadata={"ge": 0, "le": 1})
    jump: float = field(default=0.05, metadata={"ge": 0, "le": 1})
    mixing: float = field(default=0.5, metadata={"ge": 0, "le": 1})

    def children(
        self,
        space: Product,
        mother: NDArray[np.float64],
        father: NDArray[np.float64],
        random: np.random.Generator,
    ) -> NDArray[np.float64]:
        """One child of each pair of canonical materials (n, columns); canonical, (n, columns)."""
        n = len(mother)
        children = []
        for factor, p, q in zip(space.factors, space.split(mother), space.split(father), strict=True):
            mixed = random.random(n) < self.mixing
            share = np.where(mixed, random.random(n), random.integers(2, size=n))[:, None]
            child = factor.snap(share * p + (1 - share) * q)
            change = random.random(n)[:, None]
            mutated = np.where(change < self.mutation, factor.random_neighbour(child, random), child)
            children.append(np.where(change > 1 - self.jump, factor.sample(n, random), mutated))
        return space.canonical(np.concatenate(children, axis=1))
