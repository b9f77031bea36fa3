"""What design spaces and their factors have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


class DesignSpace(Protocol):
    """Materials that may be proposed.

    Attributes:
        columns: Names of the numbers that describe a material.
        free: Number of unconstrained reals that a material is mapped from.
        count: Number of materials on the grid; None where a variable has no grid.
        numbered: Number of points that `points` knows; more than ``count`` where several are one material.
    """

    columns: tuple[str, ...]
    free: int
    count: int | None
    numbered: int | None

    def from_free(self, u: Tensor) -> Tensor:
        """Materials (n, columns) of unconstrained reals (n, free), float64; constraints hold."""

    def to_free(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Unconstrained reals (n, free) that are mapped close to materials (n, columns)."""

    def sample(self, n: int, seed: int | Sequence[int]) -> NDArray[np.float64]:
        """Random materials, (n, columns), each of the grid equally likely."""

    def canonical(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The one form of each material (n, columns), on the grid; canonical forms stay as they are."""

    def points(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Materials of the grid by number, (n, columns)."""

    def first(self, x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether each point (n, columns) is the one of all that are its material which counts, (n,)."""

    def step(self, x: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """A random neighbour on the grid of each canonical material, (n, columns)."""

    def distance(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """How different materials are, from 0 to 1, over the leading axes of ``a`` and ``b``."""

    def formulas(self, x: NDArray[np.float64]) -> list[str]:
        """Formula of each row; a label where the space is not one of compositions."""

    def enumerate(self, size: int) -> Iterator[NDArray[np.float64]]:
        """Every material of the grid once, in chunks of at most ``size`` numbered points."""


class Factor(Protocol):
    """One independent part of a space; `Simplex`, `Interval` and `Choice` are such parts.

    Attributes:
        columns: Names of its numbers.
        free: Number of unconstrained reals that they are mapped from.
    """

    columns: tuple[str, ...]
    free: int

    @property
    def count(self) -> int | None:
        """Number of points on its grid; None where it has none."""

    def from_free(self, u: Tensor) -> Tensor:
        """Numbers (n, columns) of unconstrained reals (n, free), float64."""

    def to_free(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Unconstrained reals (n, free) that are mapped close to numbers (n, columns)."""

    def snap(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The point of the grid next to each row, (n, columns)."""

    def step(self, x: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """A random point of the grid next to each point ``x``, (n, columns)."""

    def points(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Points of the grid by number, (n, columns)."""

    def sample(self, n: int, random: np.random.Generator) -> NDArray[np.float64]:
        """Random points, (n, columns)."""

    def distance(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """From 0 to 1, over the leading axes of ``a`` and ``b``."""
