"""Design spaces: the materials that a search may propose, with constraints that hold exactly.

A material is a row of numbers. Most spaces are a product of independent factors: site fractions, numbers in
an interval, levels. Every constraint is part of how a row is made, never a penalty.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


class ParsedFormula(Protocol):
    """A formula as `nestmat.materials.formulas.Formula`."""

    @property
    def amounts(self) -> Mapping[str, Any]:
        """Amount of each species in a formula unit."""

    def sites(self) -> Mapping[str, Mapping[str, float]]:
        """Site fractions of an ABX3 compound, by site and species."""


class Factor(ABC):
    """One independent part of a space.

    The class attributes and the methods are what searches and judges need to know of a factor.

    Attributes:
        columns: Names of its numbers.
        n_free: Number of unconstrained reals that the numbers are mapped from; 0 for a fixed value.
        n_grid_points: Number of points on its grid; None without a grid.
        fixed_value: The value of a factor that does not vary; None for all others.
    """

    is_composition: ClassVar[bool] = False
    """Whether the numbers are fractions of species, of sum 1."""
    is_interval: ClassVar[bool] = False
    """Whether the factor is one number in an interval."""

    columns: tuple[str, ...]
    n_free: int
    n_grid_points: int | None
    fixed_value: float | None = None
    periodic: bool = False

    @abstractmethod
    def from_free(self, u: Tensor) -> Tensor:
        """Numbers (n, columns) of unconstrained reals (n, n_free), float64."""

    @abstractmethod
    def to_free(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Unconstrained reals (n, n_free) that are mapped close to numbers (n, columns)."""

    @abstractmethod
    def snap(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The point of the grid nearest to each row, (n, columns)."""

    @abstractmethod
    def random_neighbour(self, x: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """A random point of the grid next to each point ``x``, (n, columns)."""

    @abstractmethod
    def from_index(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Points of the grid by number, (n, columns)."""

    @abstractmethod
    def sample(self, n: int, random: np.random.Generator) -> NDArray[np.float64]:
        """Random points, (n, columns)."""

    @abstractmethod
    def distance(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance from 0 to 1, over the leading axes of ``a`` and ``b``."""

    def mix(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weighted means (n, columns) of two points as values of the factor; levels go to the nearer one."""
        return x

    def keeps_rules(self, x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether numbers (n, columns) within their ranges keep the other rules of the factor, (n,)."""
        return np.ones(len(x), dtype=bool)

    def data_columns(self, x: NDArray[np.float64]) -> dict[str, Any]:
        """Columns (n,) by which a data set describes numbers (n, columns); none for a composition."""
        return {name: x[:, k] for k, name in enumerate(self.columns)}

    def network_inputs(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Inputs (n, inputs) of a network, of a size of about 1, of numbers (n, columns)."""
        return 2 * x

    @abstractmethod
    def reconstruction_terms(self, u: Tensor, x: Tensor, log_std: Tensor) -> tuple[Tensor, ...]:
        """Negative log-likelihood of points under what a network decodes, in nats, less a constant.

        Args:
            u: Decoded unconstrained reals, (n, n_free).
            x: The points, (n, columns).
            log_std: Logarithm of the standard deviation of a number, as a share of its interval, ().

        Returns:
            Terms of the sum, (n,) or () each.
        """


class DesignSpace(ABC):
    """Materials that may be proposed.

    Attributes:
        columns: Names of the numbers that describe a material.
        n_free: Number of unconstrained reals that a material is mapped from.
        n_materials: Number of materials on the grid; None where a variable has no grid.
        n_grid_points: Number of points that `from_index` numbers; more than ``n_materials`` where several are
            one material.
    """

    columns: tuple[str, ...]
    n_free: int
    n_materials: int | None
    n_grid_points: int | None

    @property
    def is_box(self) -> bool:
        """Whether all of its numbers lie in intervals."""
        return False

    def element_fractions(self, x: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Atomic fractions (n, elements) of materials (n, columns); None in a space without elements."""
        return None

    @abstractmethod
    def from_free(self, u: Tensor) -> Tensor:
        """Materials (n, columns) of unconstrained reals (n, n_free), float64; constraints hold."""

    @abstractmethod
    def to_free(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Unconstrained reals (n, n_free) that are mapped close to materials (n, columns)."""

    @abstractmethod
    def sample(self, n: int, seed: int | Sequence[int]) -> NDArray[np.float64]:
        """Random materials, (n, columns), each of the grid equally likely."""

    @abstractmethod
    def canonical(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The one form of each material (n, columns), on the grid; canonical forms are left unchanged."""

    @abstractmethod
    def from_index(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Points of the grid by number, (n, columns)."""

    def is_canonical(self, x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether each point (n, columns) of the grid is the canonical form of its material, (n,)."""
        return np.ones(len(x), dtype=bool)

    @abstractmethod
    def random_neighbour(self, x: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """A random neighbour on the grid of each canonical material, (n, columns)."""

    @abstractmethod
    def distance(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """How different materials are, from 0 to 1, over the leading axes of ``a`` and ``b``."""

    @abstractmethod
    def formulas(self, x: NDArray[np.float64]) -> list[str]:
        """Formula of each row; a label where the space is not one of compositions."""

    @abstractmethod
    def enumerate(self, size: int) -> Iterator[NDArray[np.float64]]:
        """Every material of the grid once, in chunks of at most ``size`` points."""
