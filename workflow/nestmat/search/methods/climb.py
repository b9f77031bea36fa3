"""Small steps on the grid, from good materials to better ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat.search.candidates import Shortlist
from nestmat.search.problem import ranks


def climb(found: Shortlist, x: NDArray[np.float64], tries: int, random: np.random.Generator) -> None:
    """From each material to better neighbours on the grid, one try a round.

    Args:
        found: Where materials are predicted and kept.
        x: Canonical materials, (n, columns).
        tries: Materials that are predicted for each, itself among them.
        random: Draws the neighbours.
    """
    table = found.add(x)
    for _ in range(tries - 1):
        tried = found.problem.space.random_neighbour(x, random)
        new = found.add(tried)
        both = pd.concat([table, new], ignore_index=True)
        rank = ranks(both)
        better = rank[len(x) :] < rank[: len(x)]
        x = np.where(better[:, None], tried, x)
        table = both.iloc[np.where(better, len(x), 0) + np.arange(len(x))].reset_index(drop=True)
