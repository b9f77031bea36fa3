"""Gradient descent from many starts at once, with an augmented Lagrangian, then on the grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from nestmat.deferred import torch
from nestmat.errors import InputError
from nestmat.search.candidates import Archive
from nestmat.search.methods.base import SearchMethod
from nestmat.search.methods.hill_climb import hill_climb
from nestmat.search.problem import Problem, order

if TYPE_CHECKING:
    from torch import Tensor

SAMPLE = 4
"""Random materials that are predicted for each start."""

LINE_SEARCH = 25
"""Largest number of calls of one line search of torch's L-BFGS."""

LBFGS_CALLS = 25 + LINE_SEARCH
"""Largest number of predictions of L-BFGS a material."""


class Coordinates(Protocol):
    """Unconstrained reals that are mapped to the materials of a space, and along which they move."""

    def from_free(self, u: Tensor) -> Tensor:
        """Materials (n, columns) of coordinates (n, n_free), differentiable, within the space."""

    def to_free(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Coordinates (n, n_free) of materials close to ``x`` (n, columns)."""

    def draw(self, n: int, seed: Sequence[int]) -> NDArray[np.float64]:
        """Random coordinates, (n, n_free)."""

    def violations(self, u: Tensor) -> Tensor:
        """Violations (n, k), not negative, of constraints on the coordinates (n, n_free) themselves."""


@dataclass(frozen=True)
class Descent(SearchMethod):
    """Adam on the coordinates of many materials, then L-BFGS on the best, then the grid.

    The starts are the best of a random sample and random coordinates in equal parts. Constraints enter by the
    augmented Lagrangian of Nocedal & Wright, Numerical Optimization (2006), eq. 17.65, whose multipliers are
    updated at intervals. At the end each material climbs on the grid, since the best point of the grid need
    not be the nearest one.

    Attributes:
        keep: Candidates to propose.
        starts: Materials that move.
        steps: Steps of Adam.
        rate: Step size.
        renewals: Updates of the multipliers.
        penalty: Weight of squared violations.
        polished: Share of the materials that L-BFGS refines.
        climbs: Points of the grid that are tried for each material at the end.
    """

    keep: int = field(default=1000, metadata={"ge": 1})
    starts: int = field(default=5000, metadata={"ge": 2})
    steps: int = field(default=40, metadata={"ge": 1})
    rate: float = field(default=0.1, metadata={"gt": 0})
    renewals: int = field(default=10, metadata={"ge": 0})
    penalty: float = field(default=10.0, metadata={"ge": 0})
    polished: float = field(default=0.1, metadata={"ge": 0, "le": 1})
    climbs: int = field(default=60, metadata={"ge": 1})

    def descend(
        self, problem: Problem, coordinates: Coordinates, budget: int, seed: int
    ) -> tuple[Archive, Tensor]:
        """Search within a budget, as `SearchMethod.propose`.

        Returns:
            The best materials, and the coordinates (n, n_free) at which the descent ended.

        Raises:
            InputError: The budget is too small for two materials to move.
        """
        random = np.random.default_rng(seed)
        archive = Archive(problem, self.keep)
        starts, steps = self._plan(budget)
        sample = problem.space.sample(SAMPLE * starts, seed=seed)
        best = order(archive.add(sample))[: starts // 2]
        initial = [coordinates.to_free(sample[best]), coordinates.draw(starts - len(best), seed=[seed, 1])]
        free = torch.from_numpy(np.concatenate(initial)).requires_grad_(True)
        multipliers = self._adam(problem, coordinates, free, steps)
        archive.evaluations += 2 * starts * steps
        archive.evaluations += self._polish(problem, coordinates, free, multipliers)
        free = free.detach()
        with torch.no_grad():
            x = problem.space.canonical(coordinates.from_free(free).numpy())
        hill_climb(archive, x, self.climbs, random)
        return archive, free

    @property
    def _fixed(self) -> float:
        """Predictions of a start without its steps: sample, value before L-BFGS, L-BFGS, hill climb."""
        return SAMPLE + 1 + self.climbs + self.polished * (2 * LBFGS_CALLS + 1)

    @property
    def smallest_budget(self) -> int:
        """Smallest budget: two starts, one step."""
        # A gradient counts as one prediction more.
        return math.ceil(2 * (self._fixed + 2))

    def _plan(self, budget: int) -> tuple[int, int]:
        """Starts and steps within a budget: fewer starts first, then fewer steps."""
        starts = max(2, min(self.starts, int(budget / (self._fixed + 2 * self.steps))))
        steps = min(self.steps, int((budget / starts - self._fixed) / 2))
        if steps < 1:
            raise InputError(
                f"The budget of {budget} is too small to follow a gradient.",
                key="budget",
                remedy=f"give {self.smallest_budget} or more.",
            )
        return starts, steps

    def _lagrangian(
        self, problem: Problem, coordinates: Coordinates, free: Tensor, multipliers: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Value of each material (n,), and its violations (n, constraints)."""
        distance, violations = problem.distance_and_violations(problem.predict(coordinates.from_free(free)))
        violations = torch.cat([violations, coordinates.violations(free)], dim=1)
        # A violation without a value has no gradient either.
        violations = torch.where(torch.isfinite(violations), violations, 0.0)
        value = distance + (multipliers * violations + 0.5 * self.penalty * violations.square()).sum(dim=1)
        return value, violations

    def _adam(self, problem: Problem, coordinates: Coordinates, free: Tensor, steps: int) -> Tensor:
        optimiser = torch.optim.Adam([free], lr=self.rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        # One column for all violations until the first renewal.
        multipliers = free.new_zeros(len(free), 1)
        interval = max(1, steps // (self.renewals + 1))
        for step in range(steps):
            value, violations = self._lagrangian(problem, coordinates, free, multipliers)
            [gradient] = torch.autograd.grad(value.sum(), free)
            # Where a quantity is not defined the material does not move.
            free.grad = torch.nan_to_num(gradient, nan=0.0, posinf=0.0, neginf=0.0)
            optimiser.step()
            schedule.step()
            if step % interval == interval - 1:
                multipliers = multipliers + self.penalty * violations.detach()
        return multipliers

    def _polish(self, problem: Problem, coordinates: Coordinates, free: Tensor, multipliers: Tensor) -> int:
        """Refine the best materials by L-BFGS; returns the number of predictions."""
        with torch.no_grad():
            value, _ = self._lagrangian(problem, coordinates, free, multipliers)
        best = torch.argsort(torch.nan_to_num(value, nan=torch.inf))[: int(self.polished * len(free))]
        if not len(best):
            return len(free)
        refined = free.detach()[best].clone().requires_grad_(True)
        optimiser = torch.optim.LBFGS(
            # A line search may end a few calls after max_eval is reached.
            [refined],
            max_iter=20,
            max_eval=LBFGS_CALLS - LINE_SEARCH,
            line_search_fn="strong_wolfe",
        )
        calls = 0

        def closure() -> Tensor:
            nonlocal calls
            calls += 1
            optimiser.zero_grad()
            total = self._lagrangian(problem, coordinates, refined, multipliers[best])[0].sum()
            total.backward()
            return total

        optimiser.step(closure)
        with torch.no_grad():
            refined_value, _ = self._lagrangian(problem, coordinates, refined, multipliers[best])
            better = refined_value < value[best]
            free[best[better]] = refined[better]
        return len(free) + 2 * calls * len(best) + len(best)
