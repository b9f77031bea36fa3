"""Design spaces: the materials that a search may propose, with constraints that hold exactly.

A material is a row of numbers, a space a product of independent parts (factors): site shares, numbers in an
interval, choices. Every constraint is part of how a row is made, never a penalty.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nestmat.errors import InputError
from nestmat.search.spaces.base import Factor
from nestmat.search.spaces.simplex import LARGEST_COUNT, Simplex


class Product:
    """A space of independent factors; the last one varies fastest in the numbering of its points.

    Args:
        factors: The parts, in the order of their columns.
    """

    def __init__(self, factors: Sequence[Factor]):
        self.factors = list(factors)
        self.columns = tuple(name for factor in factors for name in factor.columns)
        if not self.columns or len(set(self.columns)) < len(self.columns):
            raise InputError(
                "columns of a design space are empty or have repetitions.",
                value=list(self.columns),
                remedy="give each variable a name of its own.",
            )
        self.free = sum(factor.free for factor in factors)
        if not self.free:
            raise InputError("leaves nothing to choose.", column="space", remedy="let a number vary.")
        counts = [factor.count for factor in factors if factor.count is not None]
        self.numbered = self.count = math.prod(counts) if len(counts) == len(self.factors) else None
        self._parts = np.cumsum([0, *(len(factor.columns) for factor in factors)])

    @property
    def shares(self) -> list[Simplex]:
        """Factors that are shares of species; none in a space of numbers and levels alone."""
        return [factor for factor in self.factors if isinstance(factor, Simplex)]

    def split(self, x: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Numbers of each factor, (..., columns of the factor), of materials (..., columns)."""
        return np.split(np.asarray(x, dtype=np.float64), self._parts[1:-1], axis=-1)

    def from_free(self, u: Tensor) -> Tensor:
        """Materials (n, columns) of unconstrained reals (n, free), float64; constraints hold."""
        parts = torch.split(u, [factor.free for factor in self.factors], dim=1)
        return torch.cat([f.from_free(part) for f, part in zip(self.factors, parts, strict=True)], dim=1)

    def to_free(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Unconstrained reals (n, free) that are mapped close to materials (n, columns)."""
        return np.concatenate(
            [f.to_free(part) for f, part in zip(self.factors, self.split(x), strict=True)], axis=1
        )

    def sample(self, n: int, seed: int | Sequence[int]) -> NDArray[np.float64]:
        """Random materials, (n, columns), each point of the grid equally likely."""
        random = np.random.default_rng(seed)
        return np.concatenate([factor.sample(n, random) for factor in self.factors], axis=1)

    def canonical(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The point of the grid next to each material, (n, columns)."""
        return np.concatenate(
            [f.snap(part) for f, part in zip(self.factors, self.split(x), strict=True)], axis=1
        )

    def step(self, x: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """A random neighbour of each material of the grid (n, columns): one factor takes a step."""
        moved = np.array(x, dtype=np.float64)
        loose = [k for k, factor in enumerate(self.factors) if factor.free]
        chosen = np.array(loose)[random.integers(len(loose), size=len(moved))]
        for k, factor in enumerate(self.factors):
            rows = np.flatnonzero(chosen == k)
            here = slice(self._parts[k], self._parts[k + 1])
            moved[rows, here] = factor.step(moved[rows, here], random)
        return self.canonical(moved)

    def points(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Materials of the grid by number, (n, columns).

        Raises:
            InputError: A variable has no grid, or there are more points than can be numbered.
        """
        self._numbered()
        rest = np.asarray(index, dtype=np.int64)
        parts = []
        for factor in reversed(self.factors):
            rest, number = np.divmod(rest, factor.count or 1)
            parts.append(factor.points(number))
        return np.concatenate(parts[::-1], axis=1)

    def first(self, x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """All of them, (n,): no two points are one material."""
        return np.ones(len(x), dtype=bool)

    def _numbered(self) -> int:
        if self.numbered is None or self.numbered > LARGEST_COUNT:
            loose = [f.columns[0] for f in self.factors if f.count is None]
            raise InputError(
                f"is lacking for {', '.join(loose)}, so that the materials cannot be numbered."
                if loose
                else f"gives the space {self.numbered:.3g} materials, too many to number.",
                column="grid",
                remedy="give every variable a grid." if loose else "choose coarser grids or fewer species.",
            )
        return self.numbered

    def enumerate(self, size: int) -> Iterator[NDArray[np.float64]]:
        """Every material of the grid once, in chunks of at most ``size`` numbered points.

        Raises:
            InputError: As `points`.
        """
        end = self._numbered()
        for start in range(0, end, size):
            chunk = self.points(np.arange(start, min(start + size, end)))
            yield chunk[self.first(chunk)]

    def distance(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean of the distances of the factors, 0 to 1, over the leading axes of ``a`` and ``b``."""
        parts = zip(self.factors, self.split(a), self.split(b), strict=True)
        each = [f.distance(one, other) for f, one, other in parts if f.free]
        return np.mean(each, axis=0)

    def formulas(self, x: NDArray[np.float64]) -> list[str]:
        """A label of each row: its numbers by name."""
        return [
            " ".join(f"{name}={value:.10g}" for name, value in zip(self.columns, row, strict=True))
            for row in np.asarray(x)
        ]
