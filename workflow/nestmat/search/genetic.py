"""A genetic algorithm on the grid of a space: the baseline of the field, here with exact constraints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat.errors import InputError
from nestmat.search.candidates import Candidates, Shortlist
from nestmat.search.problem import Problem, order, ranks
from nestmat.search.space import Product


@dataclass(frozen=True)
class Genetic:
    """Tournaments of two, exchange of whole sites, mutation, and survival of the best.

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

    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search; as `nestmat.search.candidates.SearchMethod`.

        Raises:
            InputError: The space is not a product of parts that could be exchanged.
        """
        space = problem.space
        if not isinstance(space, Product):
            raise InputError(
                "has no parts that parents could exchange.",
                column="space",
                remedy="rank the space, or draw from it.",
            )
        random = np.random.default_rng(seed)
        found = Shortlist(problem, self.keep)
        size = min(self.population, budget)
        alive = space.canonical(space.sample(size, seed=seed))
        table = found.add(alive)
        while found.evaluations + size <= budget:
            rank = ranks(table)
            pairs = random.integers(len(alive), size=(2, 2, size))
            mother, father = np.where(rank[pairs[0]] < rank[pairs[1]], pairs[0], pairs[1])
            children = self._children(space, alive[mother], alive[father], random)
            both = pd.concat([table, found.add(children)], ignore_index=True)
            rows = np.concatenate([alive, children])
            # A material that is there twice would fill the population with copies of itself.
            once = np.sort(np.unique(rows, axis=0, return_index=True)[1])
            best = once[order(both.iloc[once])][: self.population]
            alive, table = rows[best], both.iloc[best].reset_index(drop=True)
        return found.candidates()

    def _children(
        self, space: Product, mother: NDArray, father: NDArray, random: np.random.Generator
    ) -> NDArray[np.float64]:
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
            stepped = np.where(change < self.mutation, factor.step(child, random), child)
            parts.append(np.where(change > 1 - self.jump, factor.sample(n, random), stepped))
        return space.canonical(np.concatenate(parts, axis=1))
