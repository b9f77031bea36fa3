"""Design spaces that are finite tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from nestmat.errors import InputError


class Pool:
    """A finite table of materials; nothing outside it is proposed.

    Args:
        table: One row a material: numbers that describe it.
        formulas: Formula, or label, of each row.

    Raises:
        InputError: The table is empty, not finite, or has a row twice.
    """

    free = 0

    def __init__(self, table: pd.DataFrame, formulas: Sequence[str]):
        values = table.to_numpy(np.float64)
        if not values.size or not np.isfinite(values).all():
            raise InputError("the pool is empty or not finite.", remedy="give a table of numbers.")
        if (twice := table.duplicated()).any():
            row = int(np.argmax(twice.to_numpy()))
            raise InputError(
                "is twice in the pool.", row=row, value=formulas[row], remedy="keep one row a material."
            )
        self.columns, self.values, self._formulas = tuple(map(str, table.columns)), values, list(formulas)
        self.numbered = self.count = len(values)
        spread = np.ptp(values, axis=0)
        self._spread = np.where(spread > 0, spread, 1.0)

    def from_free(self, u: Tensor) -> Tensor:
        """A pool has no gradient.

        Raises:
            InputError: Always.
        """
        raise self._no_path()

    def to_free(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """As `from_free`.

        Raises:
            InputError: Always.
        """
        raise self._no_path()

    @staticmethod
    def _no_path() -> InputError:
        return InputError(
            "a pool of materials has no continuous coordinates to search along.",
            column="space",
            remedy="rank it, or draw from it.",
        )

    def step(self, x: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """Another material of the pool for each row, (n, columns): nothing is next to it."""
        return self.points(random.integers(self.count, size=len(x)))

    def number(self, x: NDArray[np.float64]) -> NDArray[np.int64]:
        """Row of the pool next to each row of ``x``, (n,)."""
        found = [self.distance(row, self.values).argmin() for row in np.asarray(x)]
        return np.array(found, dtype=np.int64)

    def canonical(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The material of the pool next to each row, (n, columns)."""
        return self.values[self.number(x)]

    def points(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Materials by row of the pool, (n, columns)."""
        return self.values[np.asarray(index)]

    def first(self, x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """All of them, (n,): no row is there twice."""
        return np.ones(len(x), dtype=bool)

    def sample(self, n: int, seed: int | Sequence[int]) -> NDArray[np.float64]:
        """Random materials, with repetitions, (n, columns)."""
        return self.points(np.random.default_rng(seed).integers(self.count, size=n))

    def enumerate(self, size: int) -> Iterator[NDArray[np.float64]]:
        """Every material once, in chunks of at most ``size``."""
        for start in range(0, self.count, size):
            yield self.values[start : start + size]

    def distance(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean difference of the numbers as shares of their ranges in the pool."""
        return (np.abs(np.asarray(a) - b) / self._spread).mean(axis=-1)

    def formulas(self, x: NDArray[np.float64]) -> list[str]:
        """Formula, or label, of each row."""
        return [self._formulas[row] for row in self.number(x)]
