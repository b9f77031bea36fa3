"""Materials from a conditional variational autoencoder that is told what is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat.errors import InputError
from nestmat.search.candidate_table import std_column
from nestmat.search.candidates import Candidates, Shortlist
from nestmat.search.generators.conditional_vae import ConditionalVAE, ConditionalVAESettings
from nestmat.search.methods.base import SearchMethod
from nestmat.search.methods.climb import climb
from nestmat.search.methods.registry import METHODS
from nestmat.search.problem import Problem, order, ranks
from nestmat.search.spaces.product import factors_of

LEAST_BUDGET = 100
"""Smallest budget: fewer materials teach nothing."""

LEAST_BEST = 10
"""Least number of materials that lend their conditions."""

ATTEMPTS = 5
"""Draws of one round, while they give too few new materials."""

HELD_OUT = 0.1
"""Share of the uniform materials that the first training does not see."""


@METHODS.register("vae")
@dataclass(frozen=True)
class VAE(SearchMethod, ConditionalVAESettings):
    """Learn random materials with what is predicted of them, then ask for what is wanted, round by round.

    A part of the budget is drawn uniformly and teaches a conditional variational autoencoder. That is then
    asked for materials under the conditions of the best ones so far, moved to where every target and
    constraint is met. Before each round it learns on, from all materials so far, the better ones more often:
    with weights 1 / (spread n + rank), the weighted retraining of Tripp, Daxberger & Hernandez-Lobato
    (NeurIPS 2020). Materials that come again are not predicted again. At the end the best climb on the grid.

    The details compare the first answers with as many materials of the same network without conditions, and
    with the uniform ones: ``hit_rate``, and how many are ``unique`` after snapping to the grid. ``rounds``
    has the hit rate of each later round. `ConditionalVAE.diagnose` tells of uniform materials that the first
    training did not see.

    Attributes:
        keep: Candidates to propose.
        share: Share of the budget that is drawn uniformly.
        compared: Share of the budget for the first answers, and again for those without conditions.
        rounds: Rounds after them, which have in equal parts what the others leave of the budget.
        climbed: Share of the budget for the climb at the end.
        climbs: Points of the grid that are tried for each material that climbs.
        best: Share of the materials so far that lend their conditions.
        jitter: Standard deviation of what is added to conditions, in those of the materials so far.
        spread: The smaller, the more often the best materials are learned from.
    """

    keep: int = 1000
    share: float = 0.3
    compared: float = 0.1
    rounds: int = 10
    climbed: float = 0.2
    climbs: int = 40
    best: float = 0.005
    jitter: float = 0.1
    spread: float = 1e-3

    def __post_init__(self) -> None:
        parts = [self.share, self.compared, self.compared, self.climbed]
        if min(parts) <= 0 or sum(parts) > 1 + 1e-9:
            raise InputError(
                "are not parts of a budget.",
                column="share, compared and climbed",
                value=[self.share, self.compared, self.climbed],
                remedy="choose them above 0, and share + 2 compared + climbed no more than 1.",
            )

    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search; as `SearchMethod.propose`.

        Raises:
            InputError: The space is not a product of factors, the budget is too small to learn from, or
                hardly any material has a value of all that is wanted.
        """
        space = factors_of(problem.space, "A variational autoencoder learns")
        if budget < LEAST_BUDGET:
            raise InputError(
                "is too small to learn from.",
                column="budget",
                value=budget,
                remedy=f"give {LEAST_BUDGET} or more.",
            )
        random = np.random.default_rng([seed, 1])
        seen = _Seen(Shortlist(problem, self.keep))
        hits = {"uniform": _hit_rate(seen.add(space.canonical(space.sample(int(self.share * budget), seed))))}
        if (known := np.isfinite(seen.y).all(axis=1).sum()) < LEAST_BEST:
            raise InputError(
                f"have values for {known} of {len(seen.x)} random materials only.",
                column="targets",
                value=seen.columns,
                remedy="raise the budget, or search where all of them are defined.",
            )
        held = max(2, int(HELD_OUT * len(seen.x)))
        network = ConditionalVAE(space, seen.y.shape[1], self, seed)
        network.standardise(seen.y)
        network.fit(seen.x[held:], seen.y[held:], np.ones(len(seen.x) - held), self.steps)
        told = network.diagnose(seen.x[:held], seen.y[:held])
        number = int(self.compared * budget)
        unique = {}
        for name, y in (("conditional", self._ask(seen, number, random)), ("prior", None)):
            x = network.sample(y, number)
            unique[name] = len(np.unique(x, axis=0)) / number
            hits[name] = _hit_rate(seen.add(x))
        end = budget - int(self.climbed * budget)
        rounds = []
        for left in range(self.rounds, 0, -1):
            part = (end - seen.found.evaluations) // left
            if part < 1:
                continue
            weight = 1.0 / (self.spread * len(seen.x) + ranks(seen.table).astype(np.float64))
            network.fit(seen.x, seen.y, weight, max(1, self.steps // self.rounds))
            rounds.append(self._answer(network, seen, part, random))
        best = order(seen.table)[: (budget - seen.found.evaluations) // self.climbs]
        climb(seen.found, seen.x[best], self.climbs, random)
        return seen.found.candidates(hit_rate=hits, unique=unique, rounds=rounds, **told)

    def _answer(
        self, network: ConditionalVAE, seen: _Seen, budget: int, random: np.random.Generator
    ) -> float:
        """Ask until so many new materials have come, or no more do; the hit rate of all that came."""
        tables = []
        end = seen.found.evaluations + budget
        for _ in range(ATTEMPTS):
            if number := end - seen.found.evaluations:
                tables.append(seen.add(network.sample(self._ask(seen, number, random), number)))
        return _hit_rate(pd.concat(tables))

    def _ask(self, seen: _Seen, n: int, random: np.random.Generator) -> NDArray[np.float64]:
        """Conditions to ask for, (n, conditions)."""
        known = np.all(np.isfinite(seen.y), axis=1)
        ranked = order(seen.table)
        ranked = ranked[known[ranked]]
        rows = random.choice(ranked[: max(LEAST_BEST, int(self.best * len(ranked)))], size=n)
        noise = random.normal(size=(n, len(seen.columns))) * self.jitter * seen.y[known].std(axis=0)
        y = dict(zip(seen.columns, (seen.y[rows] + noise).T, strict=True))
        met = _met(seen.found.problem, seen.table.iloc[rows], y)
        return np.stack([met[name] for name in seen.columns], axis=1)


class _Seen:
    """Materials that have been predicted, each once, with their conditions."""

    def __init__(self, found: Shortlist):
        self.found = found
        problem = found.problem
        self.x = np.empty((0, len(problem.space.columns)))
        self.table = pd.DataFrame()
        names = [target.mean_column for target in problem.targets]
        names += [constraint.column for constraint in problem.constraints]
        self.columns = list(dict.fromkeys(names))

    @property
    def y(self) -> NDArray[np.float64]:
        """Conditions of the materials, (n, conditions): means, and standard deviations that are bounded."""
        return self.table[self.columns].to_numpy(np.float64)

    def add(self, x: NDArray[np.float64]) -> pd.DataFrame:
        """Predict canonical materials (n, columns), the new ones alone; what is predicted of all of them."""
        rows = np.concatenate([self.x, x])
        _, first, again = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        new = np.sort(first[first >= len(self.x)])
        place = np.arange(len(rows))
        place[new] = len(self.x) + np.arange(len(new))
        if len(new):
            table = self.found.add(rows[new])
            self.table = pd.concat([self.table, table], ignore_index=True) if len(self.x) else table
        places = place[first[again]][len(self.x) :]
        self.x = np.concatenate([self.x, rows[new]])
        return self.table.iloc[places]


def _met(
    problem: Problem, table: pd.DataFrame, y: Mapping[str, NDArray[np.float64]]
) -> dict[str, NDArray[np.float64]]:
    """Conditions by name, (n,) each, moved to where every target and constraint is met.

    Args:
        problem: What is wanted.
        table: What is predicted of the materials that the conditions come from.
        y: The conditions.
    """
    met = dict(y)
    for target in problem.targets:
        name = target.mean_column
        if target.goal == "maximise":
            met[name] = np.maximum(met[name], table[name])
        elif target.goal == "minimise":
            met[name] = np.minimum(met[name], table[name])
        else:
            high = target.high if target.goal == "range" else target.low
            met[name] = np.clip(met[name], target.low, high)
    for bound in problem.constraints:
        name = bound.column
        spare = bound.sigmas * np.nan_to_num(table[std_column(bound.quantity)])
        low = -np.inf if bound.low is None else bound.low + spare
        high = np.inf if bound.high is None else bound.high - spare
        met[name] = np.minimum(np.maximum(met[name], low), high)
    return met


def _hit_rate(table: pd.DataFrame) -> float:
    return float(table["hit"].mean())
