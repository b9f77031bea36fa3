"""Factors of a design space that are one number or one level."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nestmat.errors import InputError


class Interval:
    """A number from ``low`` to ``high``.

    Args:
        name: Name of the column.
        low: Smallest value.
        high: Largest value; where the number is periodic, the same as ``low`` and left out.
        grid: Number of values on the grid, both ends among them; None for no grid.
        periodic: Whether the number goes round.
    """

    def __init__(
        self, name: str, low: float, high: float, grid: int | None = None, *, periodic: bool = False
    ):
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise InputError(
                "is not an interval.",
                column=name,
                value=[low, high],
                remedy="choose low < high, both finite.",
            )
        if grid is not None and grid < 2:
            raise InputError(
                "has too few values on its grid.", column=name, value=grid, remedy="choose 2 or more."
            )
        self.columns: tuple[str, ...] = (name,)
        self.free, self.count = 1, grid
        self.low, self.high, self.periodic = low, high, periodic

    @property
    def _step(self) -> float:
        return (self.high - self.low) / ((self.count or 1) - (not self.periodic))

    def from_free(self, u: Tensor) -> Tensor:
        """Values (n, 1): a sigmoid of ``u``, or, where they go round, the fraction of ``u``."""
        u = u.double()
        return self.low + (self.high - self.low) * (u - u.floor() if self.periodic else torch.sigmoid(u))

    def to_free(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Inverse of `from_free`, (n, 1); ends of the interval a thousandth inside it."""
        share = (np.asarray(x, dtype=np.float64) - self.low) / (self.high - self.low)
        if self.periodic:
            return share
        share = np.clip(share, 1e-3, 1 - 1e-3)
        return np.log(share / (1 - share))

    def snap(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Next value of the grid (n, 1), or of the interval where there is no grid."""
        x = np.asarray(x, dtype=np.float64)
        if self.periodic:
            x = self.low + np.mod(x - self.low, self.high - self.low)
        if self.count is None:
            return np.clip(x, self.low, self.high)
        number = np.rint((x - self.low) / self._step).astype(np.int64)
        return self._at(number % self.count if self.periodic else np.clip(number, 0, self.count - 1))

    def _at(self, number: NDArray[np.int64]) -> NDArray[np.float64]:
        # The ends come out exact.
        steps = (self.count or 1) - (not self.periodic)
        return (self.low * (steps - number) + self.high * number) / steps

    def step(self, x: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """The next value up or down, (n, 1); without a grid a hundredth of the interval at most."""
        if self.count is None:
            return self.snap(x + 0.01 * (self.high - self.low) * random.uniform(-1, 1, size=np.shape(x)))
        return self.snap(x + self._step * random.choice([-1, 1], size=np.shape(x)))

    def points(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Values of the grid by number, (n, 1)."""
        return self._at(np.asarray(index))[:, None]

    def sample(self, n: int, random: np.random.Generator) -> NDArray[np.float64]:
        """Uniform values of the grid, or of the interval, (n, 1)."""
        if self.count is None:
            return random.uniform(self.low, self.high, size=(n, 1))
        return self.points(random.integers(self.count, size=n))

    def distance(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """Difference as a share of the interval; the shorter way round, as a share of half of it."""
        share = np.abs(np.asarray(a) - b)[..., 0] / (self.high - self.low)
        return 2 * np.minimum(share % 1, 1 - share % 1) if self.periodic else share


class Fixed:
    """A number that stays as it is.

    Args:
        name: Name of the column.
        value: Its value.
    """

    def __init__(self, name: str, value: float):
        if not math.isfinite(value):
            raise InputError("is not finite.", column=name, value=value, remedy="give a number.")
        self.columns: tuple[str, ...] = (name,)
        self.value = value
        self.free, self.count = 0, 1

    def from_free(self, u: Tensor) -> Tensor:
        """The value, (n, 1), of no reals (n, 0)."""
        return torch.full((len(u), 1), self.value, dtype=torch.float64)

    def to_free(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """No reals, (n, 0)."""
        return np.empty((len(x), 0))

    def snap(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The value, (n, 1)."""
        return np.full((len(x), 1), self.value)

    def step(self, x: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """The value, (n, 1): it has no neighbour."""
        return self.snap(x)

    def points(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """The value, (n, 1)."""
        return np.full((len(np.asarray(index)), 1), self.value)

    def sample(self, n: int, random: np.random.Generator) -> NDArray[np.float64]:
        """The value, (n, 1)."""
        return np.full((n, 1), self.value)

    def distance(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """0: there is one value."""
        return np.zeros(np.broadcast_shapes(np.shape(a), np.shape(b))[:-1])


class Choice:
    """One of several levels, as columns ``<name>=<level>`` of which one is 1.

    Args:
        name: What is chosen.
        levels: From what.
    """

    def __init__(self, name: str, levels: Sequence[str]):
        if not levels or len(set(levels)) < len(levels):
            raise InputError(
                "levels are empty or have repetitions.",
                column=name,
                value=list(levels),
                remedy="name each once.",
            )
        self.columns = tuple(f"{name}={level}" for level in levels)
        self.free = self.count = len(levels)

    def from_free(self, u: Tensor) -> Tensor:
        """The level of the largest of ``u`` (n, levels); the gradient is that of a softmax."""
        soft = torch.softmax(u.double(), dim=1)
        hard = torch.nn.functional.one_hot(soft.argmax(dim=1), self.free).double()
        # Exactly 0 or 1 in value: the softmax cancels before it is added.
        return hard + (soft - soft.detach())

    def to_free(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Reals (n, levels) of which the largest is that of the level, and the others have a gradient."""
        return 2.0 * np.asarray(x, dtype=np.float64)

    def snap(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The level of the largest number of each row, (n, levels)."""
        return self.points(np.asarray(x).argmax(axis=1))

    def step(self, x: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """A random level, (n, levels)."""
        return self.sample(len(x), random)

    def points(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Levels by number, (n, levels)."""
        return np.eye(self.free)[np.asarray(index)]

    def sample(self, n: int, random: np.random.Generator) -> NDArray[np.float64]:
        """Random levels, (n, levels)."""
        return self.points(random.integers(self.free, size=n))

    def distance(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """0 for the same level, 1 for two."""
        return 0.5 * np.abs(np.asarray(a) - b).sum(axis=-1)
