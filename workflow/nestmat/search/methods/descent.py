"""Descent along gradients: many starts at once, constraints by an augmented Lagrangian, then the grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nestmat.errors import InputError
from nestmat.search.candidates import Shortlist
from nestmat.search.methods.base import SearchMethod
from nestmat.search.methods.climb import climb
from nestmat.search.problem import Problem, order

SAMPLE = 4
"""Materials drawn for each start."""

LINE_SEARCH = 25
"""Most calls of one line search of torch's L-BFGS."""

LBFGS_CALLS = 25 + LINE_SEARCH
"""Most predictions of L-BFGS a material."""


class Coordinates(Protocol):
    """Unconstrained reals that the materials of a space are made of, and along which they move."""

    def from_free(self, u: Tensor) -> Tensor:
        """Materials (n, columns) of coordinates (n, free), differentiable; constraints of the space hold."""

    def to_free(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Coordinates (n, free) of materials close to ``x`` (n, columns)."""

    def draw(self, n: int, seed: Sequence[int]) -> NDArray[np.float64]:
        """Random coordinates, (n, free)."""

    def beyond(self, u: Tensor) -> Tensor:
        """Violations (n, k), not negative, of what the coordinates (n, free) themselves have to keep."""


@dataclass(frozen=True)
class Descent(SearchMethod):
    """Adam on the coordinates of many materials, then L-BFGS on the best, then the grid.

    The starts are the best of a random sample and random coordinates in equal parts. Constraints enter by the
    augmented Lagrangian of Nocedal & Wright, Numerical Optimization (2006), eq. 17.65, whose multipliers are
    renewed along the way. At the end each material climbs on the grid: the best point need not be the next
    one.

    Attributes:
        keep: Candidates to propose.
        starts: Materials that move.
        steps: Steps of Adam.
        rate: Step size.
        renewals: Renewals of the multipliers.
        penalty: Weight of squared violations.
        polished: Share of the materials that L-BFGS goes on with.
        climbs: Points of the grid that are tried for each material at the end.
    """

    keep: int = 1000
    starts: int = 5000
    steps: int = 40
    rate: float = 0.1
    renewals: int = 10
    penalty: float = 10.0
    polished: float = 0.1
    climbs: int = 60

    def descend(
        self, problem: Problem, coordinates: Coordinates, budget: int, seed: int
    ) -> tuple[Shortlist, Tensor]:
        """Search within a budget, as `SearchMethod.propose`.

        Returns:
            What has been found, and the coordinates (n, free) where the materials came to rest.

        Raises:
            InputError: The budget is too small for two materials to move.
        """
        random = np.random.default_rng(seed)
        found = Shortlist(problem, self.keep)
        starts, steps = self._plan(budget)
        sample = problem.space.sample(SAMPLE * starts, seed=seed)
        best = order(found.add(sample))[: starts // 2]
        begin = [coordinates.to_free(sample[best]), coordinates.draw(starts - len(best), seed=[seed, 1])]
        free = torch.from_numpy(np.concatenate(begin)).requires_grad_(True)
        multipliers = self._adam(problem, coordinates, free, steps)
        spent = 2 * starts * steps
        spent += self._polish(problem, coordinates, free, multipliers)
        found.evaluations += spent
        free = free.detach()
        with torch.no_grad():
            x = problem.space.canonical(coordinates.from_free(free).numpy())
        climb(found, x, self.climbs, random)
        return found, free

    @property
    def _fixed(self) -> float:
        """Predictions of a start beside its steps: sample, value before L-BFGS, L-BFGS, climbs."""
        return SAMPLE + 1 + self.climbs + self.polished * (2 * LBFGS_CALLS + 1)

    @property
    def least(self) -> int:
        """Smallest budget: two starts, one step."""
        # A gradient counts as one prediction more.
        return math.ceil(2 * (self._fixed + 2))

    def _plan(self, budget: int) -> tuple[int, int]:
        """Starts and steps within a budget: fewer starts first, then fewer steps."""
        starts = max(2, min(self.starts, int(budget / (self._fixed + 2 * self.steps))))
        steps = min(self.steps, int((budget / starts - self._fixed) / 2))
        if steps < 1:
            raise InputError(
                "is too small to follow a gradient.",
                column="budget",
                value=budget,
                remedy=f"give {self.least} or more.",
            )
        return starts, steps

    def _lagrangian(
        self, problem: Problem, coordinates: Coordinates, free: Tensor, multipliers: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Value of each material (n,), and its violations (n, constraints)."""
        distance, beyond = problem.judge(problem.predict(coordinates.from_free(free)))
        beyond = torch.cat([beyond, coordinates.beyond(free)], dim=1)
        # A violation without a value has no slope either.
        beyond = torch.where(torch.isfinite(beyond), beyond, 0.0)
        value = distance + (multipliers * beyond + 0.5 * self.penalty * beyond.square()).sum(dim=1)
        return value, beyond

    def _adam(self, problem: Problem, coordinates: Coordinates, free: Tensor, steps: int) -> Tensor:
        optimiser = torch.optim.Adam([free], lr=self.rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        # One column for all violations until the first renewal.
        multipliers = free.new_zeros(len(free), 1)
        every = max(1, steps // (self.renewals + 1))
        for step in range(steps):
            value, beyond = self._lagrangian(problem, coordinates, free, multipliers)
            [slope] = torch.autograd.grad(value.sum(), free)
            # Where a quantity is not defined the material stays.
            free.grad = torch.nan_to_num(slope, nan=0.0, posinf=0.0, neginf=0.0)
            optimiser.step()
            schedule.step()
            if step % every == every - 1:
                multipliers = multipliers + self.penalty * beyond.detach()
        return multipliers

    def _polish(self, problem: Problem, coordinates: Coordinates, free: Tensor, multipliers: Tensor) -> int:
        """L-BFGS on the best materials; the number of predictions that it took."""
        with torch.no_grad():
            value, _ = self._lagrangian(problem, coordinates, free, multipliers)
        best = torch.argsort(torch.nan_to_num(value, nan=torch.inf))[: int(self.polished * len(free))]
        if not len(best):
            return len(free)
        part = free.detach()[best].clone().requires_grad_(True)
        optimiser = torch.optim.LBFGS(
            # A line search may end a few calls after max_eval is reached.
            [part],
            max_iter=20,
            max_eval=LBFGS_CALLS - LINE_SEARCH,
            line_search_fn="strong_wolfe",
        )
        calls = 0

        def closure() -> Tensor:
            nonlocal calls
            calls += 1
            optimiser.zero_grad()
            total = self._lagrangian(problem, coordinates, part, multipliers[best])[0].sum()
            total.backward()
            return total

        optimiser.step(closure)
        with torch.no_grad():
            moved, _ = self._lagrangian(problem, coordinates, part, multipliers[best])
            better = moved < value[best]
            free[best[better]] = part[better]
        return len(free) + 2 * calls * len(best) + len(best)
