"""A genetic algorithm on the grid of a space, with exact constraints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nestmat.search.candidates import Archive, Candidates, first_occurrences
from nestmat.search.methods.evolution import Evolution
from nestmat.search.methods.registry import METHODS
from nestmat.search.problem import Problem, order, ranks
from nestmat.search.spaces.product import factors_of


@METHODS.register("genetic")
@dataclass(frozen=True)
class Genetic(Evolution):
    """Genetic algorithm: tournaments of two, crossover and mutation, and survival of the best."""

    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search; as `SearchMethod.propose`.

        Raises:
            InputError: The space is not a product of factors.
        """
        space = factors_of(problem.space, "Crossover exchanges")
        random = np.random.default_rng(seed)
        archive = Archive(problem, self.keep)
        size = min(self.population, budget)
        population = space.canonical(space.sample(size, seed=seed))
        table = archive.add(population)
        while archive.evaluations + size <= budget:
            rank = ranks(table)
            pairs = random.integers(len(population), size=(2, 2, size))
            mother, father = np.where(rank[pairs[0]] < rank[pairs[1]], pairs[0], pairs[1])
            children = self.children(space, population[mother], population[father], random)
            merged = pd.concat([table, archive.add(children)], ignore_index=True)
            rows = np.concatenate([population, children])
            # Without this, copies of one material would fill the population.
            unique = first_occurrences(rows)
            best = unique[order(merged.iloc[unique])][: self.population]
            population, table = rows[best], merged.iloc[best].reset_index(drop=True)
        return archive.candidates()
