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
        unique = np.sort(np.unique(rows, axis=0, return_index=True)[1])
        ranked = unique[self._best(merged.iloc[unique])]
        self._x, self._table = rows[ranked], merged.iloc[ranked].reset_index(drop=True)

    def candidates(self, **details: Any) -> Candidates:
        """The best materials, best first, with a report of the method."""
        return Candidates(self._x, self._table, self.evaluations, details)
