"""What searches in a pool cost, and whether one description of the rows saves labels against another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from nestmat.evaluation.comparison import clustered_difference


def way_in_words(way: str, batch: int = 1) -> str:
    """How a way of searching is called."""
    if way == "sound":
        return "each label at once" if batch == 1 else f"batches of {batch}"
    return {"published": "as published", "ranking": "one ranking", "random": "random order"}[way]


class Cost(NamedTuple):
    """Share of a pool seen until the best row is found, or the difference of two such shares.

    Attributes:
        mean: Mean over trials.
        low: Lower end of the 95 % interval over trials.
        high: Upper end.
        members: Mean over the trials of each trained member whose latents are read.
    """

    mean: float
    low: float
    high: float
    members: tuple[float, ...]

    @property
    def agree(self) -> bool:
        """Whether all members have the sign of the mean.

        The interval is over start rows, for the members at hand: it does not know that others would give
        other latents.
        """
        return len({np.sign(value) for value in (self.mean, *self.members)}) == 1


def searches_of(pool: pd.DataFrame, representation: str, way: str, batch: int = 1) -> pd.DataFrame:
    """The trials of one way of searching; empty where it was not tried."""
    return pool[
        (pool["representation"] == representation) & (pool["way"] == way) & (pool["batch"] == batch)
    ].sort_values("trial")


def cost(trials: pd.DataFrame, less: pd.DataFrame | float = 0.0) -> Cost:
    """Mean share of some trials, less that of others with the same start rows, or less a number.

    A search that did not find the best row counts with all that it saw, so that the share is a lower bound.

    Args:
        trials: Rows of `nestmat.search.pool.trials.POOL`, one a trial.
        less: Others of the same trials.
    """
    if isinstance(less, pd.DataFrame):
        less = less.set_index("trial").loc[trials["trial"], "share"].to_numpy()
    share = trials["share"].to_numpy() - less
    found = clustered_difference(share, trials["trial"].to_numpy(), seed=0)
    members = pd.Series(share).groupby(trials["view"].to_numpy()).mean()
    return Cost(found.mean, found.low, found.high, tuple(members))


def random_share(pool: pd.DataFrame, facts: Mapping[str, Any]) -> float:
    """Mean share seen in random order: the first of b best among m rows comes at (m + 1) / (b + 1).

    Args:
        pool: Table of searches.
        facts: Its provenance.
    """
    start, rows = int(pool["start"].iloc[0]), int(facts["rows"])
    return (start + (rows - start + 1) / (len(facts["best"]) + 1)) / rows
