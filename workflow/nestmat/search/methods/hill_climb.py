"""Hill climbing: small steps on the grid, from good materials to better ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat.search.candidates import Archive
from nestmat.search.problem import ranks


def hill_climb(archive: Archive, x: NDArray[np.float64], trials: int, random: np.random.Generator) -> None:
    """Move each material to better neighbours on the grid, one trial a round.

    Args:
        archive: Predicts the materials and keeps the best.
        x: Canonical materials, (n, columns).
        trials: Materials that are predicted for each, itself among them.
        random: Draws the neighbours.
    """
    table = archive.add(x)
    for _ in range(trials - 1):
        neighbours = archive.problem.space.random_neighbour(x, random)
        merged = pd.concat([table, archive.add(neighbours)], ignore_index=True)
        rank = ranks(merged)
        better = rank[len(x) :] < rank[: len(x)]
        x = np.where(better[:, None], neighbours, x)
        table = merged.iloc[np.where(better, len(x), 0) + np.arange(len(x))].reset_index(drop=True)
