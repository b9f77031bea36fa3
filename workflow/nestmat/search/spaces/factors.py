"""Factors of a design space that are one number, or one level."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nestmat.deferred import torch
from nestmat.errors import InputError
from nestmat.search.spaces.base import Factor

if TYPE_CHECKING:
    from torch import Tensor


class Interval(Factor):
    """A number from ``low`` to ``high``.

    Args:
        name: Name of the column.
        low: Smallest value.
        high: Largest value; of a periodic number the same as ``low``, and excluded.
        grid: Number of values on the grid, both ends among them; None for no grid.
        periodic: Whether the number is periodic, as an angle.

    Raises:
        InputError: The ends are not finite and ascending, or the grid has fewer than two values.

    Example:
        >>> strain = Interval("strain", -0.03, 0.03, grid=7)
        >>> strain.snap(np.array([[0.012]])).tolist()
        [[0.01]]
    """

    is_interval: ClassVar[bool] = True

    def __init__(
        self, name: str, low: float, high: float, grid: int | None = None, *, periodic: bool = False
    ):
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise InputError(
                f"The interval of {name} needs finite ends, the lower one first.",
                column=name,
                value=[low, high],
                remedy="choose low < high, both finite.",
            )
        if grid is not None and grid < 2:
            raise InputError(
                f"The grid of {name} has fewer than two values.",
                column=name,
                value=grid,
                remedy="choose 2 or more.",
            )
        self.columns = (name,)
        self.n_free, self.n_grid_points = 1, grid
        self.low, self.high, self.periodic = low, high, periodic

    @property
    def _n_steps(self) -> int:
        return (self.n_grid_points or 1) - (not self.periodic)

    @property
    def _step(self) -> float:
        return (self.high - self.low) / self._n_steps

    def from_free(self, u: Tensor) -> Tensor:
        """Values (n, 1): a sigmoid of ``u``, or the fraction of ``u`` where the number is periodic."""
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
        """Nearest value of the grid (n, 1), or of the interval where there is no grid."""
        x = np.asarray(x, dtype=np.float64)
        if self.periodic:
            x = self.low + np.mod(x - self.low, self.high - self.low)
        if self.n_grid_points is None:
            return np.clip(x, self.low, self.high)
        index = np.rint((x - self.low) / self._step).astype(np.int64)
        n = self.n_grid_points
        return self._value(index % n if self.periodic else np.clip(index, 0, n - 1))

    def _value(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        # The ends are exact.
        return (self.low * (self._n_steps - index) + self.high * index) / self._n_steps

    def random_neighbour(self, x: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """The next value up or down, (n, 1); without a grid a hundredth of the interval at most."""
        if self.n_grid_points is None:
            return self.snap(x + 0.01 * (self.high - self.low) * random.uniform(-1, 1, size=np.shape(x)))
        return self.snap(x + self._step * random.choice([-1, 1], size=np.shape(x)))

    def from_index(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Values of the grid by number, (n, 1)."""
        return self._value(np.asarray(index))[:, None]

    def sample(self, n: int, random: np.random.Generator) -> NDArray[np.float64]:
        """Uniform values of the grid, or of the interval, (n, 1)."""
        if self.n_grid_points is None:
            return random.uniform(self.low, self.high, size=(n, 1))
        return self.from_index(random.integers(self.n_grid_points, size=n))

    def distance(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """Difference as a share of the interval; of a periodic number the shorter one, of half of it."""
        share = np.abs(np.asarray(a) - b)[..., 0] / (self.high - self.low)
        return 2 * np.minimum(share % 1, 1 - share % 1) if self.periodic else share

    def network_inputs(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """From -2 to 2 along the interval, (n, 1); cosine and sine of a periodic number, (n, 2)."""
        share = (x - self.low) / (self.high - self.low)
        angle = 2 * math.pi * share
        return np.hstack([np.cos(angle), np.sin(angle)]) if self.periodic else 4 * share - 2

    def reconstruction_terms(self, u: Tensor, x: Tensor, log_std: Tensor) -> tuple[Tensor, ...]:
        """As `Factor.reconstruction_terms`: the number is normally distributed."""
        gap = (self.from_free(u).float() - x) / (self.high - self.low)
        gap = torch.sin(math.pi * gap) / math.pi if self.periodic else gap
        return 0.5 * (gap[:, 0] * (-log_std).exp()).square(), log_std


class Fixed(Factor):
    """A number that does not vary.

    Args:
        name: Name of the column.
        value: Its value.

    Raises:
        InputError: The value is not finite.
    """

    def __init__(self, name: str, value: float):
        if not math.isfinite(value):
            raise InputError(
                f"The value of {name} is not finite.", column=name, value=value, remedy="give a number."
            )
        self.columns = (name,)
        self.fixed_value = self.value = value
        self.n_free, self.n_grid_points = 0, 1

    def from_free(self, u: Tensor) -> Tensor:
        """The value, (n, 1), of no reals (n, 0)."""
        return torch.full((len(u), 1), self.value, dtype=torch.float64)

    def to_free(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """No reals, (n, 0)."""
        return np.empty((len(x), 0))

    def snap(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The value, (n, 1)."""
        return np.full((len(x), 1), self.value)

    def random_neighbour(self, x: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """The value, (n, 1): it has no neighbour."""
        return self.snap(x)

    def from_index(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """The value, (n, 1)."""
        return np.full((len(np.asarray(index)), 1), self.value)

    def sample(self, n: int, random: np.random.Generator) -> NDArray[np.float64]:
        """The value, (n, 1)."""
        return np.full((n, 1), self.value)

    def distance(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """Zero: there is one value."""
        return np.zeros(np.broadcast_shapes(np.shape(a), np.shape(b))[:-1])

    def network_inputs(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """None, (n, 0)."""
        return np.empty((len(x), 0))

    def reconstruction_terms(self, u: Tensor, x: Tensor, log_std: Tensor) -> tuple[Tensor, ...]:
        """None: there is nothing to learn."""
        return ()


class Choice(Factor):
    """One of several levels, as columns ``<name>=<level>`` of which one is 1.

    Args:
        name: Name of the category.
        levels: Its levels.

    Raises:
        InputError: There are no levels, or one is named twice.

    Example:
        >>> solvent = Choice("solvent", ["DMF", "DMSO"])
        >>> solvent.columns
        ('solvent=DMF', 'solvent=DMSO')
        >>> solvent.snap(np.array([[0.2, 0.7]])).tolist()
        [[0.0, 1.0]]
    """

    n_grid_points: int

    def __init__(self, name: str, levels: Sequence[str]):
        if not levels or len(set(levels)) < len(levels):
            raise InputError(
                f"The levels of {name} are empty or have repetitions.",
                column=name,
                value=list(levels),
                remedy="name each once.",
            )
        self.name, self.levels = name, tuple(levels)
        self.columns = tuple(f"{name}={level}" for level in levels)
        self.n_free = self.n_grid_points = len(levels)

    def from_free(self, u: Tensor) -> Tensor:
        """The level of the largest of ``u`` (n, levels); the gradient is that of a softmax."""
        soft = torch.softmax(u.double(), dim=1)
        hard = torch.nn.functional.one_hot(soft.argmax(dim=1), self.n_free).double()
        # Exactly 0 or 1 in value: the softmax cancels before it is added.
        return hard + (soft - soft.detach())

    def to_free(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Reals (n, levels) of which the largest is that of the level, and the others have a gradient."""
        return 2.0 * np.asarray(x, dtype=np.float64)

    def snap(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The level of the largest number of each row, (n, levels)."""
        return self.from_index(np.asarray(x).argmax(axis=1))

    def mix(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The level of the larger weight, (n, levels)."""
        return self.snap(x)

    def random_neighbour(self, x: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """A random level, (n, levels)."""
        return self.sample(len(x), random)

    def from_index(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Levels by number, (n, levels)."""
        return np.eye(self.n_free)[np.asarray(index)]

    def sample(self, n: int, random: np.random.Generator) -> NDArray[np.float64]:
        """Random levels, (n, levels)."""
        return self.from_index(random.integers(self.n_free, size=n))

    def distance(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """0 for the same level, 1 for two."""
        return 0.5 * np.abs(np.asarray(a) - b).sum(axis=-1)

    def data_columns(self, x: NDArray[np.float64]) -> dict[str, Any]:
        """The level of each row by the name of the category."""
        return {self.name: [self.levels[k] for k in np.asarray(x).argmax(axis=1)]}

    def reconstruction_terms(self, u: Tensor, x: Tensor, log_std: Tensor) -> tuple[Tensor, ...]:
        """As `Factor.reconstruction_terms`: the level is categorical."""
        return (
            torch.nn.functional.kl_div(torch.nn.functional.log_softmax(u, dim=1), x, reduction="none").sum(
                dim=1
            ),
        )
