"""Non-dominated sorting on the grid of a space: the trade-off between several targets."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat.deferred import torch
from nestmat.search.candidates import Archive, Candidates
from nestmat.search.methods.evolution import Evolution
from nestmat.search.methods.gradient import Gradient
from nestmat.search.methods.registry import METHODS
from nestmat.search.pareto import hypervolume
from nestmat.search.problem import Problem, order, outside_of
from nestmat.search.spaces.product import Product, factors_of

if TYPE_CHECKING:
    from pymoo.core.algorithm import Algorithm
    from pymoo.core.population import Population

OUTSIDE = 10.0
"""How much farther from each target a material outside the domain counts, in ranges of the first ones."""


class FrontArchive(Archive):
    """The best materials that were predicted so far and the whole front of them, each once.

    Where the front has more than ``size`` materials, the archive is the front.
    """

    def _best(self, table: pd.DataFrame) -> NDArray[np.int64]:
        ranked = order(table)
        front = self.problem.front(table)[ranked]
        n_others = max(0, self.size - int(front.sum()))
        return ranked[front | (np.cumsum(~front) <= n_others)]


@METHODS.register("nsga")
@dataclass(frozen=True)
class NSGA(Evolution):
    """Pareto search: NSGA-II for one or two targets, NSGA-III for more, of pymoo.

    Deb et al., IEEE Trans. Evol. Comput. 6, 182 (2002); Deb & Jain, IEEE Trans. Evol. Comput. 18, 577 (2014),
    with the reference directions of Das & Dennis, SIAM J. Optim. 8, 631 (1998). Materials that keep the
    constraints are better than those that do not. The search starts from a random sample and, where the
    predictions have gradients, from the results of short gradient searches with different weights of the
    targets.

    Attributes:
        seeded: Share of the budget for the gradient searches; 0 for none.
    """

    seeded: float = field(default=0.2, metadata={"ge": 0, "le": 1})

    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search; as `SearchMethod.propose`.

        The details are the size of the ``front`` of all predicted materials, how many materials of the start
        come ``from_gradients``, the ``hypervolume`` of the front in tolerances, and its ``reference`` point:
        the largest distance from each target in the random sample.

        Raises:
            InputError: The space is not a product of factors.
        """
        space = factors_of(problem.space, "Crossover exchanges")
        archive = FrontArchive(problem, self.keep)
        x = space.canonical(space.sample(min(self.population, budget), seed=seed))
        table = archive.add(x)
        values = problem.distances(table)
        reference = values[np.isfinite(values).all(axis=1)].max(axis=0, initial=-np.inf)
        seeds = self._gradient_seeds(archive, budget, seed)
        if len(seeds):
            x = np.concatenate([x, seeds])
            table = pd.concat([table, archive.add(seeds)], ignore_index=True)
        with warnings.catch_warnings():
            # pymoo silences all warnings for good.
            self._evolve(archive, space, x, table, budget, seed)
        proposed = archive.candidates()
        front = problem.distances(proposed.table)[problem.front(proposed.table)]
        details: dict[str, Any] = {"front": len(front), "from_gradients": len(seeds)}
        if np.isfinite(reference).all():
            details |= {"hypervolume": hypervolume(front, reference), "reference": reference.tolist()}
        return replace(proposed, details=details)

    def _gradient_seeds(self, archive: Archive, budget: int, seed: int) -> NDArray[np.float64]:
        """Results (n, columns) of short gradient searches; none without a gradient or a sufficient budget."""
        problem = archive.problem
        weights = _weights(len(problem.targets))
        keep = max(1, self.population // (2 * len(weights)))
        gradient = Gradient(keep, starts=self.population, steps=40, climbs=5, polished=0.0)
        # A problem predicts one material when it is made, and the results are predicted again.
        share = int(self.seeded * budget / len(weights)) - 1 - keep
        remaining = budget - archive.evaluations - 1
        if share < gradient.smallest_budget or remaining < self.seeded * budget or not _has_gradient(problem):
            return np.empty((0, len(problem.space.columns)))
        archive.evaluations += 1
        results = []
        for k, weight in enumerate(weights):
            targets = [
                replace(t, tolerance=t.tolerance / w) for t, w in zip(problem.targets, weight, strict=True)
            ]
            candidates = gradient.propose(replace(problem, targets=targets), share, seed + k + 1)
            archive.evaluations += candidates.evaluations + 1
            results.append(candidates.x)
        return np.concatenate(results)

    def _evolve(
        self,
        archive: Archive,
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

        problem, n_targets = archive.problem, len(archive.problem.targets)
        start, farther = Population.new("X", x), OUTSIDE * _ranges(problem.distances(table))
        _set_objectives(start, problem, table, farther)
        algorithm = self._algorithm(space, n_targets, start)
        algorithm.setup(
            Definition(n_var=x.shape[1], n_obj=n_targets, n_ieq_constr=1),
            seed=seed,
            termination=NoTermination(),
        )
        algorithm.tell(infills=algorithm.ask())
        while (remaining := budget - archive.evaluations) > 0:
            children = algorithm.ask()
            if children is None:
                break
            children = children[:remaining]
            _set_objectives(children, problem, archive.add(children.get("X")), farther)
            algorithm.tell(infills=children)

    def _algorithm(self, space: Product, n_targets: int, start: Population) -> Algorithm:
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
        if n_targets < 3:
            return NSGA2(**common)
        partitions = 1
        while math.comb(partitions + n_targets, n_targets - 1) <= self.population:
            partitions += 1
        return NSGA3(
            get_reference_directions("das-dennis", n_targets, n_partitions=partitions),
            selection=TournamentSelection(func_comp=_tournament),
            **common,
        )


def _weights(count: int) -> NDArray[np.float64]:
    """Weights of the targets, (weightings, count): equal ones, then each target in turn ten times as much."""
    return np.ones((1, 1)) if count == 1 else np.concatenate([np.ones((1, count)), 1 + 9 * np.eye(count)])


def _has_gradient(problem: Problem) -> bool:
    """Whether the distance of a material has a gradient; predicts one material."""
    free = torch.zeros(1, problem.space.n_free, dtype=torch.float64, requires_grad=True)
    return problem.distance_and_violations(problem.predict(problem.space.from_free(free)))[0].requires_grad


def _ranges(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Range of the distances from each target, (targets,), of materials (n, targets); 1 without one."""
    finite = distances[np.isfinite(distances).all(axis=1)]
    ranges = np.ptp(finite, axis=0) if len(finite) else np.zeros(distances.shape[1])
    return np.where(ranges > 0, ranges, 1.0)


def _set_objectives(
    population: Population, problem: Problem, table: pd.DataFrame, farther: NDArray[np.float64]
) -> None:
    """Set objectives and violation of a population; a quantity without a value is an infinite violation.

    Materials outside the domain count as ``farther`` from each target, (targets,), not as infeasible: where
    all are outside, the search goes on among them.
    """
    distances = problem.distances(table) + outside_of(table)[:, None] * farther
    defined = np.isfinite(distances).all(axis=1, keepdims=True)
    population.set("F", np.where(defined, distances, 0.0))
    population.set("G", np.where(defined, table[["violation"]], np.inf))


def _tournament(
    population: Population, pairs: NDArray[np.int64], *, random_state: np.random.Generator, **_: Any
):
    """The one of each pair (n, 2) with the smaller violation, a random one if equal; (n, 1)."""
    violation = population.get("CV")[:, 0]
    a, b = pairs.T
    coin = random_state.random(len(pairs)) < 0.5
    first = (violation[a] < violation[b]) | ((violation[a] == violation[b]) & coin)
    return np.where(first, a, b)[:, None]
