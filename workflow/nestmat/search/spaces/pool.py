"""Design spaces that are finite tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat.errors import InputError
from nestmat.search.spaces.base import DesignSpace

if TYPE_CHECKING:
    from torch import Tensor


class Pool(DesignSpace):
    """A finite table of materials; nothing outside of it is proposed.

    Args:
        table: One row a material: numbers that describe it.
        formulas: Formula, or label, of each row.

    Raises:
        InputError: The table is empty, not finite, or has a row twice.
    """

    n_free = 0
    n_materials: int
    n_grid_points: int

    def __init__(self, table: pd.DataFrame, formulas: Sequence[str]):
        values = table.to_numpy(np.float64)
        if not values.size or not np.isfinite(values).all():
            raise InputError(
                "The pool is empty or has numbers that are not finite.", remedy="give a table of numbers."
            )
        if (repeated := table.duplicated()).any():
            row = int(np.argmax(repeated.to_numpy()))
            raise InputError(
                f"{formulas[row]} occurs twice in the pool.", row=row, remedy="keep one row a material."
            )
        self.columns, self.values, self._formulas = tuple(map(str, table.columns)), values, list(formulas)
        self.n_grid_points = self.n_materials = len(values)
        spread = np.ptp(values, axis=0)
        self._spread = np.where(spread > 0, spread, 1.0)

    def from_free(self, u: Tensor) -> Tensor:
        """A pool has no gradient.

        Raises:
            InputError: Always.
        """
        raise self._no_coordinates()

    def to_free(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """As `from_free`.

        Raises:
            InputError: Always.
        """
        raise self._no_coordinates()

    @staticmethod
    def _no_coordinates() -> InputError:
        return InputError(
            "A pool of materials has no continuous coordinates to search along.",
            key="space",
            remedy="rank it, or draw from it.",
        )

    def random_neighbour(self, x: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """A random material of the pool for each row, (n, columns): there are no neighbours."""
        return self.from_index(random.integers(self.n_materials, size=len(x)))

    def nearest_rows(self, x: NDArray[np.float64]) -> NDArray[np.int64]:
        """Row of the pool nearest to each row of ``x``, (n,)."""
        rows = [self.distance(row, self.values).argmin() for row in np.asarray(x)]
        return np.array(rows, dtype=np.int64)

    def canonical(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The material of the pool nearest to each row, (n, columns)."""
        return self.values[self.nearest_rows(x)]

    def from_index(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Materials by row of the pool, (n, columns)."""
        return self.values[np.asarray(index)]

    def sample(self, n: int, seed: int | Sequence[int]) -> NDArray[np.float64]:
        """Random materials, with repetitions, (n, columns)."""
        return self.from_index(np.random.default_rng(seed).integers(self.n_materials, size=n))

    def enumerate(self, size: int) -> Iterator[NDArray[np.float64]]:
        """Every material once, in chunks of at most ``size``."""
        for start in range(0, self.n_materials, size):
            yield self.values[start : start + size]

    def distance(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean difference of the numbers as shares of their ranges in the pool."""
        return (np.abs(np.asarray(a) - b) / self._spread).mean(axis=-1)

    def formulas(self, x: NDArray[np.float64]) -> list[str]:
        """Formula, or label, of each row."""
        return [self._formulas[row] for row in self.nearest_rows(x)]
