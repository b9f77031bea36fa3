"""Cost of searches in a pool, and whether one representation of the rows saves labels against another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from nestmat.evaluation.comparison import clustered_difference


def acquisition_label(acquisition: str, batch: int = 1) -> str:
    """Words for a rule of acquisition, of the column ``way`` of the table of searches.

    Example:
        >>> acquisition_label("sound", batch=4), acquisition_label("random")
        ('batches of 4', 'random order')
    """
    if acquisition == "sound":
        return "each label at once" if batch == 1 else f"batches of {batch}"
    return {"published": "as published", "ranking": "one ranking", "random": "random order"}[acquisition]


class Cost(NamedTuple):
    """Share of a pool labelled until the best row is found, or the difference of two such shares.

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

        The interval is over start rows, for these members alone: others would have other latents.
        """
        return len({np.sign(value) for value in (self.mean, *self.members)}) == 1


def select_trials(pool: pd.DataFrame, representation: str, acquisition: str, batch: int = 1) -> pd.DataFrame:
    """The trials of one rule of acquisition; empty where there are none."""
    return pool[
        (pool["representation"] == representation) & (pool["way"] == acquisition) & (pool["batch"] == batch)
    ].sort_values("trial")


def cost(trials: pd.DataFrame, less: pd.DataFrame | float = 0.0) -> Cost:
    """Mean share of some trials, less that of others with the same start rows, or less a number.

    A search that did not find the best row counts with all of its labels, so that the share is a lower bound.

    Args:
        trials: Rows of `nestmat.search.pool.trials.POOL`, one a trial.
        less: Others of the same trials.
    """
    if isinstance(less, pd.DataFrame):
        less = less.set_index("trial").loc[trials["trial"], "share"].to_numpy()
    share = trials["share"].to_numpy() - less
    difference = clustered_difference(share, trials["trial"].to_numpy(), seed=0)
    members = pd.Series(share).groupby(trials["view"].to_numpy()).mean()
    return Cost(difference.mean, difference.low, difference.high, tuple(members))


def random_share(pool: pd.DataFrame, facts: Mapping[str, Any]) -> float:
    """Mean share labelled in random order: the first of b best among m rows comes at (m + 1) / (b + 1).

    Args:
        pool: Table of searches.
        facts: Its provenance.
    """
    start, rows = int(pool["start"].iloc[0]), int(facts["rows"])
    return (start + (rows - start + 1) / (len(facts["best"]) + 1)) / rows
