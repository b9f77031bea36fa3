"""A genetic algorithm on the grid of a space: the baseline of the field, here with exact constraints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nestmat.search.candidates import Candidates, Shortlist
from nestmat.search.methods.evolution import Evolution
from nestmat.search.methods.registry import METHODS
from nestmat.search.problem import Problem, order, ranks
from nestmat.search.spaces.product import factors_of


@METHODS.register("genetic")
@dataclass(frozen=True)
class Genetic(Evolution):
    """Tournaments of two, children as of `Evolution`, and survival of the best."""

    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search; as `SearchMethod.propose`.

        Raises:
            InputError: The space is not a product of parts that could be exchanged.
        """
        space = factors_of(problem.space, "Crossover exchanges")
        random = np.random.default_rng(seed)
        found = Shortlist(problem, self.keep)
        size = min(self.population, budget)
        alive = space.canonical(space.sample(size, seed=seed))
        table = found.add(alive)
        while found.evaluations + size <= budget:
            rank = ranks(table)
            pairs = random.integers(len(alive), size=(2, 2, size))
            mother, father = np.where(rank[pairs[0]] < rank[pairs[1]], pairs[0], pairs[1])
            children = self.children(space, alive[mother], alive[father], random)
            both = pd.concat([table, found.add(children)], ignore_index=True)
            rows = np.concatenate([alive, children])
            # A material that is there twice would fill the population with copies of itself.
            once = np.sort(np.unique(rows, axis=0, return_index=True)[1])
            best = once[order(both.iloc[once])][: self.population]
            alive, table = rows[best], both.iloc[best].reset_index(drop=True)
        return found.candidates()
