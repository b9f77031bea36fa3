"""Materials from a conditional variational autoencoder, sampled under the desired conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat.errors import InputError
from nestmat.search.candidate_table import std_column
from nestmat.search.candidates import Archive, Candidates, row_numbers
from nestmat.search.generators.conditional_vae_settings import ConditionalVAESettings
from nestmat.search.methods.base import SearchMethod
from nestmat.search.methods.hill_climb import hill_climb
from nestmat.search.methods.registry import METHODS
from nestmat.search.problem import Problem, order, ranks
from nestmat.search.spaces.product import Product, factors_of

if TYPE_CHECKING:
    from nestmat.search.generators.conditional_vae import ConditionalVAE

SMALLEST_BUDGET = 100
"""Smallest budget: fewer materials do not train a network."""

FEWEST_BEST = 10
"""Smallest number of materials whose conditions are used."""

ATTEMPTS = 5
"""Draws of one round, while they give too few new materials."""

HELD_OUT = 0.1
"""Share of the uniform materials that the first training leaves out."""


@METHODS.register("vae")
@dataclass(frozen=True)
class VAE(SearchMethod, ConditionalVAESettings):
    """Learn random materials with their predictions, then sample under the desired conditions, in rounds.

    A part of the budget is drawn uniformly and trains a conditional variational autoencoder. It is then
    sampled under the conditions of the best materials so far, moved to where every target and constraint is
    met. Before each round it is trained further, on all materials so far, the better ones more often: with
    weights 1 / (spread n + rank), the weighted retraining of Tripp, Daxberger & Hernandez-Lobato (NeurIPS
    2020). Materials that are sampled again are not predicted again. At the end the best climb on the grid.

    The details compare the first samples with as many of the same network without conditions, and with the
    uniform materials: ``hit_rate``, and how many are ``unique`` after snapping to the grid. ``rounds`` is
    the hit rate of each later round. `ConditionalVAE.diagnose` reports on uniform materials that the first
    training left out.

    Attributes:
        keep: Candidates to propose.
        share: Share of the budget that is drawn uniformly.
        compared: Share of the budget for the first samples, and again for those without conditions.
        rounds: Later rounds, which divide the rest of the budget equally.
        climbed: Share of the budget for the hill climb at the end.
        climbs: Points of the grid that are tried for each material that climbs.
        best: Share of the materials so far whose conditions are used.
        jitter: Standard deviation of noise on the conditions, in standard deviations of the materials so far.
        spread: The smaller, the more often the best materials are learned from.
    """

    keep: int = field(default=1000, metadata={"ge": 1})
    share: float = field(default=0.3, metadata={"gt": 0, "lt": 1})
    compared: float = field(default=0.1, metadata={"gt": 0, "lt": 1})
    rounds: int = field(default=10, metadata={"ge": 0})
    climbed: float = field(default=0.2, metadata={"gt": 0, "lt": 1})
    climbs: int = field(default=40, metadata={"ge": 1})
    best: float = field(default=0.005, metadata={"gt": 0, "le": 1})
    jitter: float = field(default=0.1, metadata={"ge": 0})
    spread: float = field(default=1e-3, metadata={"gt": 0})

    def __post_init__(self) -> None:
        parts = [self.share, self.compared, self.compared, self.climbed]
        if min(parts) <= 0 or sum(parts) > 1 + 1e-9:
            raise InputError(
                "The options share, compared and climbed are no parts of one budget.",
                key="share",
                value=[self.share, self.compared, self.climbed],
                remedy="choose them above 0, and share + 2 compared + climbed no more than 1.",
            )

    def propose(self, problem: Problem, budget: int, seed: int) -> Candidates:
        """Search; as `SearchMethod.propose`.

        Raises:
            InputError: The space is not a product of factors, the budget is too small to train a network, or
                hardly any material has values of all targets and constraints.
        """
        space = factors_of(problem.space, "A variational autoencoder learns")
        if budget < SMALLEST_BUDGET:
            raise InputError(
                f"The budget of {budget} is too small to train a network.",
                key="budget",
                remedy=f"give {SMALLEST_BUDGET} or more.",
            )
        random = np.random.default_rng([seed, 1])
        pool = _PredictedMaterials(Archive(problem, self.keep))
        uniform = pool.add(space.canonical(space.sample(int(self.share * budget), seed)))
        hit_rates = {"uniform": _hit_rate(uniform)}
        if (n_defined := np.isfinite(pool.y).all(axis=1).sum()) < FEWEST_BEST:
            raise InputError(
                f"Only {n_defined} of {len(pool.x)} random materials have values of "
                f"{', '.join(pool.columns)}.",
                key="targets",
                remedy="raise the budget, or search where all of them are defined.",
            )
        network, diagnosis = self._train(space, pool, seed)
        number = int(self.compared * budget)
        unique = {}
        for name, y in (("conditional", self._conditions(pool, number, random)), ("prior", None)):
            x = network.sample(y, number)
            unique[name] = len(np.unique(x, axis=0)) / number
            hit_rates[name] = _hit_rate(pool.add(x))
        archive, end = pool.archive, budget - int(self.climbed * budget)
        rounds = []
        for remaining in range(self.rounds, 0, -1):
            part = (end - archive.evaluations) // remaining
            if part < 1:
                continue
            weight = 1.0 / (self.spread * len(pool.x) + ranks(pool.table).astype(np.float64))
            network.fit(pool.x, pool.y, weight, max(1, self.steps // self.rounds))
            rounds.append(self._sample_round(network, pool, part, random))
        best = order(pool.table)[: (budget - archive.evaluations) // self.climbs]
        hill_climb(archive, pool.x[best], self.climbs, random)
        return archive.candidates(hit_rate=hit_rates, unique=unique, rounds=rounds, **diagnosis)

    def _train(
        self, space: Product, pool: _PredictedMaterials, seed: int
    ) -> tuple[ConditionalVAE, dict[str, object]]:
        """A network of uniform materials, and its diagnosis on those that it was not trained on."""
        # The network imports torch.
        from nestmat.search.generators.conditional_vae import ConditionalVAE

        n_held_out = max(2, int(HELD_OUT * len(pool.x)))
        network = ConditionalVAE(space, pool.y.shape[1], self, seed)
        network.standardise(pool.y)
        weight = np.ones(len(pool.x) - n_held_out)
        network.fit(pool.x[n_held_out:], pool.y[n_held_out:], weight, self.steps)
        return network, network.diagnose(pool.x[:n_held_out], pool.y[:n_held_out])

    def _sample_round(
        self, network: ConditionalVAE, pool: _PredictedMaterials, budget: int, random: np.random.Generator
    ) -> float:
        """Sample until the budget of new materials is spent, `ATTEMPTS` times at most; their hit rate."""
        tables = []
        end = pool.archive.evaluations + budget
        for _ in range(ATTEMPTS):
            if number := end - pool.archive.evaluations:
                tables.append(pool.add(network.sample(self._conditions(pool, number, random), number)))
        return _hit_rate(pd.concat(tables))

    def _conditions(
        self, pool: _PredictedMaterials, n: int, random: np.random.Generator
    ) -> NDArray[np.float64]:
        """Conditions under which to sample, (n, conditions)."""
        defined = np.all(np.isfinite(pool.y), axis=1)
        ranked = order(pool.table)
        ranked = ranked[defined[ranked]]
        rows = random.choice(ranked[: max(FEWEST_BEST, int(self.best * len(ranked)))], size=n)
        noise = random.normal(size=(n, len(pool.columns))) * self.jitter * pool.y[defined].std(axis=0)
        y = dict(zip(pool.columns, (pool.y[rows] + noise).T, strict=True))
        met = _meeting_goals(pool.archive.problem, pool.table.iloc[rows], y)
        return np.stack([met[name] for name in pool.columns], axis=1)


class _PredictedMaterials:
    """Materials that have been predicted, each once, with their conditions."""

    def __init__(self, archive: Archive):
        self.archive = archive
        problem = archive.problem
        self.x = np.empty((0, len(problem.space.columns)))
        self._numbers: dict[bytes, int] = {}
        self.table = pd.DataFrame()
        columns = [target.mean_column for target in problem.targets]
        columns += [constraint.column for constraint in problem.constraints]
        self.columns = list(dict.fromkeys(columns))

    @property
    def y(self) -> NDArray[np.float64]:
        """Conditions of the materials, (n, conditions): means, and standard deviations that are bounded."""
        return self.table[self.columns].to_numpy(np.float64)

    def add(self, x: NDArray[np.float64]) -> pd.DataFrame:
        """Predict the new ones of canonical materials (n, columns), and return the predictions of all."""
        before = len(self._numbers)
        places = row_numbers(x, self._numbers)
        numbers, first = np.unique(places, return_index=True)
        new = first[numbers >= before]
        if len(new):
            table = self.archive.add(x[new])
            self.table = pd.concat([self.table, table], ignore_index=True) if before else table
            self.x = np.concatenate([self.x, x[new]])
        return self.table.iloc[places]


def _meeting_goals(
    problem: Problem, table: pd.DataFrame, y: Mapping[str, NDArray[np.float64]]
) -> dict[str, NDArray[np.float64]]:
    """Conditions by name, (n,) each, moved to where every target and constraint is met.

    Args:
        problem: The design problem.
        table: Predictions for the materials of which the conditions are.
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
    for constraint in problem.constraints:
        name = constraint.column
        margin = constraint.sigmas * np.nan_to_num(table[std_column(constraint.quantity)])
        low = -np.inf if constraint.low is None else constraint.low + margin
        high = np.inf if constraint.high is None else constraint.high - margin
        met[name] = np.minimum(np.maximum(met[name], low), high)
    return met


def _hit_rate(table: pd.DataFrame) -> float:
    return float(table["hit"].mean())
