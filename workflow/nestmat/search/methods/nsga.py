"""Non-dominated sorting on the grid of a space: the trade-off between targets, not one compromise."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from nestmat.search.candidates import Candidates, Shortlist
from nestmat.search.methods.evolution import Evolution
from nestmat.search.methods.gradient import Gradient
from nestmat.search.methods.registry import METHODS
from nestmat.search.pareto import hypervolume
from nestmat.search.problem import Problem, order
from nestmat.search.spaces.product import Product, factors_of

if TYPE_CHECKING:
    from pymoo.core.algorithm import Algorithm
    from pymoo.core.population import Population


class FrontShortlist(Shortlist):
    """The best materials seen so far and the whole front of all that were seen, each once.

    Where the front has more than ``size`` materials, it is what is kept.
    """

    def _best(self, table: pd.DataFrame) -> NDArray[np.int64]:
        ranked = order(table)
        front = self.problem.front(table)[ranked]
        room = max(0, self.size - int(front.sum()))
        return ranked[front | (np.cumsum(~front) <= room)]


@METHODS.register("nsga")
@dataclass(frozen=True)
class NSGA(Evolution):
    """NSGA-II for one or two targets, NSGA-III for more, of pymoo, with children as of `Evolution`.

    Deb et al., IEEE Trans. Evol. Comput. 6, 182 (2002); Deb & Jain, IEEE Trans. Evol. Comput. 18, 577 (2014),
    with the reference directions of Das & Dennis, SIAM J. Optim. 8, 631 (1998). Materials that keep the
    constraints are better than those that do not. The search starts from a random sample and, where the
    predictions have gradients, from what short searches along them find that weigh the targets differently.

    Attributes:
        seeded: Share of the budget for the searches along gradients; 0 for none.
    """

    seeded: float = 0.2

    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search; as `SearchMethod.propose`.

        The details are the size of the front of all that was predicted, how many materials of the start come
        from gradients, the hypervolume of the front in tolerances, and its reference point: the worst
        distance of each target in the random sample.

        Raises:
            InputError: The space is not a product of parts that could be exchanged.
        """
        space = factors_of(problem.space, "Crossover exchanges")
        found = FrontShortlist(problem, self.keep)
        x = space.canonical(space.sample(min(self.population, budget), seed=seed))
        table = found.add(x)
        values = problem.distances(table)
        reference = values[np.isfinite(values).all(axis=1)].max(axis=0, initial=-np.inf)
        seeds = self._seeds(found, budget, seed)
        if len(seeds):
            x = np.concatenate([x, seeds])
            table = pd.concat([table, found.add(seeds)], ignore_index=True)
        with warnings.catch_warnings():
            # pymoo silences all warnings for good.
            self._evolve(found, space, x, table, budget, seed)
        proposed = found.candidates()
        front = problem.distances(proposed.table)[problem.front(proposed.table)]
        details: dict[str, Any] = {"front": len(front), "from_gradients": len(seeds)}
        if np.isfinite(reference).all():
            details |= {"hypervolume": hypervolume(front, reference), "reference": reference.tolist()}
        return replace(proposed, details=details)

    def _seeds(self, found: Shortlist, budget: int, seed: int) -> NDArray[np.float64]:
        """Materials that short searches along gradients find, (n, columns); none where they cannot."""
        problem = found.problem
        weights = _weights(len(problem.targets))
        keep = max(1, self.population // (2 * len(weights)))
        gradient = Gradient(keep, starts=self.population, steps=40, climbs=5, polished=0.0)
        # A problem predicts one material when it is made, and what is kept is predicted again.
        share = int(self.seeded * budget / len(weights)) - 1 - keep
        left = budget - found.evaluations - 1
        if share < gradient.least or left < self.seeded * budget or not _has_gradient(problem):
            return np.empty((0, len(problem.space.columns)))
        found.evaluations += 1
        parts = []
        for k, weight in enumerate(weights):
            targets = [
                replace(t, tolerance=t.tolerance / w) for t, w in zip(problem.targets, weight, strict=True)
            ]
            part = gradient.propose(replace(problem, targets=targets), share, seed + k + 1)
            found.evaluations += part.evaluations + 1
            parts.append(part.x)
        return np.concatenate(parts)

    def _evolve(
        self,
        found: Shortlist,
        space: Product,
        x: NDArray[np.float64],
        table: pd.DataFrame,
        budget: int,
        seed: int,
    ) -> None:
        """Generations from materials ``x`` (n, columns) until the budget is spent or no child is new."""
        from pymoo.core.population import Population
        from pymoo.core.problem import Problem as Definition
        from pymoo.core.termination import NoTermination

        count = len(found.problem.targets)
        start = Population.new("X", x)
        _tell(start, found.problem, table)
        algorithm = self._algorithm(space, count, start)
        algorithm.setup(
            Definition(n_var=x.shape[1], n_obj=count, n_ieq_constr=1), seed=seed, termination=NoTermination()
        )
        algorithm.tell(infills=algorithm.ask())
        while (left := budget - found.evaluations) > 0:
            children = algorithm.ask()
            if children is None:
                break
            children = children[:left]
            _tell(children, found.problem, found.add(children.get("X")))
            algorithm.tell(infills=children)

    def _algorithm(self, space: Product, count: int, start: Population) -> Algorithm:
        from pymoo.algorithms.moo.nsga2 import NSGA2
        from pymoo.algorithms.moo.nsga3 import NSGA3
        from pymoo.core.crossover import Crossover
        from pymoo.operators.mutation.nom import NoMutation
        from pymoo.operators.selection.tournament import TournamentSelection
        from pymoo.util.ref_dirs import get_reference_directions

        evolution = self

        class Children(Crossover):
            def _do(self, _: Any, x: NDArray[np.float64], *, random_state: np.random.Generator, **__: Any):
                return evolution.children(space, x[0], x[1], random_state)[None]

        common = {
            "pop_size": self.population,
            "sampling": start,
            "crossover": Children(n_parents=2, n_offsprings=1, prob=1.0),
            "mutation": NoMutation(),
        }
        if count < 3:
            return NSGA2(**common)
        partitions = 1
        while math.comb(partitions + count, count - 1) <= self.population:
            partitions += 1
        return NSGA3(
            get_reference_directions("das-dennis", count, n_partitions=partitions),
            selection=TournamentSelection(func_comp=_tournament),
            **common,
        )


def _weights(count: int) -> NDArray[np.float64]:
    """Weights of the targets, (weightings, count): all alike, then each in turn before the others."""
    return np.ones((1, 1)) if count == 1 else np.concatenate([np.ones((1, count)), 1 + 9 * np.eye(count)])


def _has_gradient(problem: Problem) -> bool:
    """Whether the distance of a material has a slope; predicts one material."""
    free = torch.zeros(1, problem.space.n_free, dtype=torch.float64, requires_grad=True)
    return problem.judge(problem.predict(problem.space.from_free(free)))[0].requires_grad


def _tell(population: Population, problem: Problem, table: pd.DataFrame) -> None:
    """Objectives and violation of a population; what is not defined counts as infinitely far from allowed."""
    values = problem.distances(table)
    known = np.isfinite(values).all(axis=1, keepdims=True)
    population.set("F", np.where(known, values, 0.0))
    population.set("G", np.where(known, table[["violation"]], np.inf))


def _tournament(
    population: Population, pairs: NDArray[np.int64], *, random_state: np.random.Generator, **_: Any
):
    """The one of each pair (n, 2) that violates less, or either; (n, 1)."""
    violation = population.get("CV")[:, 0]
    a, b = pairs.T
    either = random_state.random(len(pairs)) < 0.5
    first = (violation[a] < violation[b]) | ((violation[a] == violation[b]) & either)
    return np.where(first, a, b)[:, None]
