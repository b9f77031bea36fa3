"""Candidates of a search: materials on the grid of their space, each once, best first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat.search.problem import Problem, order


@dataclass(frozen=True)
class Candidates:
    """Proposed materials with the predictions of the searched model.

    Attributes:
        x: Canonical materials, (n, columns), best first.
        table: Their predictions, as `Problem.evaluate` returns them.
        evaluations: Number of materials that were predicted to find them.
        details: Report of the method: numbers, texts, and lists and mappings of them.
    """

    x: NDArray[np.float64]
    table: pd.DataFrame
    evaluations: int
    details: Mapping[str, Any] = field(default_factory=dict)


def row_numbers(rows: NDArray[np.float64], numbers: dict[bytes, int] | None = None) -> NDArray[np.int64]:
    """Number of each of some rows (n, columns), (n,): equal rows share one, and a new row takes the next.

    Rows are looked up by their bytes: sorting them, as `numpy.unique` does, takes ten times as long.

    Args:
        rows: The rows.
        numbers: Numbers of rows that have one already, which are extended; by default there are none.

    Example:
        >>> row_numbers(np.array([[1.0, 2.0], [0.0, 3.0], [1.0, 2.0]])).tolist()
        [0, 1, 0]
    """
    numbers = {} if numbers is None else numbers
    # Adding zero makes the negative zero a positive one.
    buffer, width = (np.ascontiguousarray(rows, dtype=np.float64) + 0.0).tobytes(), 8 * rows.shape[1]
    keys = (buffer[start : start + width] for start in range(0, len(buffer), width))
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def first_occurrences(rows: NDArray[np.float64]) -> NDArray[np.int64]:
    """Places at which a row (n, columns) occurs that is none of those before it, in their order."""
    return np.unique(row_numbers(rows), return_index=True)[1]


class Archive:
    """The best materials that were predicted so far, each once.

    Args:
        problem: The design problem.
        size: Number of materials to keep.

    Attributes:
        evaluations: Number of materials predicted so far.
    """

    def __init__(self, problem: Problem, size: int):
        self.problem, self.size, self.evaluations = problem, size, 0
        self._x = np.empty((0, len(problem.space.columns)))
        self._table = pd.DataFrame()

    def add(self, x: NDArray[np.float64]) -> pd.DataFrame:
        """Predict canonical materials (n, columns), keep the best, and return the predictions of all."""
        table = self.problem.evaluate(x)
        self.evaluations += len(x)
        self._insert(x, table)
        return table

    def _best(self, table: pd.DataFrame) -> NDArray[np.int64]:
        """Rows to keep, best first."""
        return order(table)[: self.size]

    def _insert(self, x: NDArray[np.float64], table: pd.DataFrame) -> None:
        # Only rows that may be kept are compared for duplicates.
        best = self._best(table)
        rows = np.concatenate([self._x, x[best]])
        best_table = table.iloc[best]
        merged = pd.concat([self._table, best_table], ignore_index=True) if len(self._x) else best_table
        unique = first_occurrences(rows)
        ranked = unique[self._best(merged.iloc[unique])]
        self._x, self._table = rows[ranked], merged.iloc[ranked].reset_index(drop=True)

    def candidates(self, **details: Any) -> Candidates:
        """The best materials, best first, with a report of the method."""
        return Candidates(self._x, self._table, self.evaluations, details)
