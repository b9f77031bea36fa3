"""How rows stand to those that trained a member: verdict and distance as numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat.domains.domain import Domain
from nestmat.domains.verdicts import INSIDE


@dataclass(frozen=True)
class Standing:
    """Standing of n rows.

    Attributes:
        codes: Verdict on each, a code of `nestmat.domains.verdicts`, (n,).
        distance: Distance to the nearest training row, in units of the one up to which materials are inside,
            (n,); 0 where distances tell nothing.
        unseen: Whether it has a species that no training row has, (n,).
    """

    codes: NDArray[np.int8]
    distance: NDArray[np.float64]
    unseen: NDArray[np.bool_]

    @classmethod
    def of(cls, domain: Domain, rows: pd.DataFrame) -> Standing:
        """Standing of rows of a table of features to a domain."""
        apart = domain.distance.measure(rows, np.ones(len(rows), dtype=bool))
        codes = domain.of_features(rows, apart).codes
        return cls(codes, apart / domain.distance.limit, domain.has_unseen(rows))

    @classmethod
    def inside(cls, count: int) -> Standing:
        """Standing of rows that train."""
        codes, unseen = np.full(count, INSIDE, dtype=np.int8), np.zeros(count, dtype=bool)
        return cls(codes, np.zeros(count), unseen)

    def __getitem__(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Standing:
        return Standing(self.codes[rows], self.distance[rows], self.unseen[rows])

    def put(self, rows: NDArray[np.int64], others: Standing) -> None:
        """Replace the standing of some rows by that of others, one each."""
        for name, values in vars(self).items():
            values[rows] = getattr(others, name)
