"""What a search method proposes: materials on the grid of their space, each once, best first."""

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
    """Materials with what the searched model predicts of them.

    Attributes:
        x: Canonical materials, (n, columns), best first.
        table: What `Problem.evaluate` says of them.
        evaluations: Materials that the method had predicted to find them.
        details: What the method says of its own work: numbers, texts, and lists and mappings of them.
    """

    x: NDArray[np.float64]
    table: pd.DataFrame
    evaluations: int
    details: Mapping[str, Any] = field(default_factory=dict)


class Shortlist:
    """The best materials seen so far, each once.

    Args:
        problem: What is wanted.
        size: How many to keep.

    Attributes:
        evaluations: Materials predicted so far.
    """

    def __init__(self, problem: Problem, size: int):
        self.problem, self.size, self.evaluations = problem, size, 0
        self._x = np.empty((0, len(problem.space.columns)))
        self._table = pd.DataFrame()

    def add(self, x: NDArray[np.float64]) -> pd.DataFrame:
        """Predict canonical materials (n, columns), keep the best, and return what is predicted of them."""
        table = self.problem.evaluate(x)
        self.evaluations += len(x)
        self._keep(x, table)
        return table

    def _best(self, table: pd.DataFrame) -> NDArray[np.int64]:
        """Rows to keep, best first."""
        return order(table)[: self.size]

    def _keep(self, x: NDArray[np.float64], table: pd.DataFrame) -> None:
        # Only rows that can enter are worth a look for duplicates.
        best = self._best(table)
        rows = np.concatenate([self._x, x[best]])
        found = (
            pd.concat([self._table, table.iloc[best]], ignore_index=True)
            if len(self._x)
            else table.iloc[best]
        )
        once = np.sort(np.unique(rows, axis=0, return_index=True)[1])
        ranked = once[self._best(found.iloc[once])]
        self._x, self._table = rows[ranked], found.iloc[ranked].reset_index(drop=True)

    def candidates(self, **details: Any) -> Candidates:
        """What has been kept, best first, with what the method says of its work."""
        return Candidates(self._x, self._table, self.evaluations, details)
