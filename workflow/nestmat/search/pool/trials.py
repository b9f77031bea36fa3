"""Searches in a pool of known labels: how many labels each reads until it finds the best row."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat import tables
from nestmat.errors import InputError
from nestmat.search.pool.expected_improvement import (
    DEFAULT_SETTINGS,
    PUBLISHED,
    RANKING,
    AcquisitionSettings,
    pool_search,
    start_rows,
)
from nestmat.tables import Column, Schema
from nestmat.training.scale_data import ScaleData, is_latent

log = logging.getLogger(__name__)

RANDOM = "random"
"""The random order, as a representation and as a way of searching."""

_KEYS: Schema = {
    "representation": Column("string", role="key", description="how the rows are described; or random"),
    "way": Column(
        "string",
        role="key",
        description=(
            "published: as the publication searches; sound: each label counts at once; ranking: by the mean "
            "of one process of the start rows; random: in random order, to the end of the pool"
        ),
    ),
    "batch": Column("int32", role="key", description="labels asked for at a time"),
    "trial": Column("int32", role="key", description="the same start rows in every way of searching"),
}
POOL: Schema = {
    **_KEYS,
    "view": Column("int32", description="place of the trained member whose latents are read; 0 without"),
    "start": Column("int32", description="labels known before"),
    "seen": Column("int32", description="labels seen when the best row was found, start rows among them"),
    "share": Column("float64", description="seen / rows of the pool; where it was not found, a lower bound"),
    "found": Column("bool", description="whether the best row was found with the picks allowed"),
}
"""One row a search."""
ORDER: Schema = {
    **_KEYS,
    "place": Column("int32", description="when the label was seen, from 0; start rows first"),
    "row_id": Column("int64", role="key"),
    "value": Column("float64", description="the label, in its unit"),
}
"""One row a label seen."""


def describe(data: ScaleData, blocks: Sequence[str], latents: str | Path | None) -> NDArray[np.float64]:
    """Inputs of a search: columns of a pool, standardised on its rows.

    Args:
        data: Rows of the scale.
        blocks: Feature blocks.
        latents: Latents of a trained model for these rows, of which those of members trained on every row are
            used; None for none.

    Returns:
        (members, n, columns), one member without latents; columns that do not vary are 0.

    Raises:
        InputError: Latents of a row are missing.
    """
    parts = [data.x[block][None] for block in blocks]
    if latents is not None:
        parts.append(_latents(latents, data.row_id))
    members = max(len(part) for part in parts)
    x = np.concatenate([np.broadcast_to(part, (members, *part.shape[1:])) for part in parts], axis=2)
    spread = x.std(axis=1, keepdims=True)
    return (x - x.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)


def _latents(path: str | Path, row_id: NDArray[np.int64]) -> NDArray[np.float64]:
    frame = tables.read(path, fold=-1, inner=-1)
    columns = [name for name in frame.columns if is_latent(name)]
    members = [
        part.set_index("row_id").reindex(row_id)[columns].to_numpy(np.float64)
        for _, part in frame[frame["seed"] >= 0].groupby("seed")
    ]
    if not members or not np.isfinite(members).all():
        raise InputError(
            "The table has no latents of members that were trained on every row, or of a row of the pool.",
            file=path,
            remedy="delete it and run again.",
        )
    return np.stack(members)


@dataclass(frozen=True)
class PoolTrials:
    """Trials of searches in a pool.

    Attributes:
        target: Column whose best value is sought.
        goal: Whether the largest or the smallest value is best.
        representations: Feature blocks that describe a row, by name of the representation.
        start: Share of the rows whose labels are known before.
        bins: Quantile bins over which these are spread.
        picks: Largest number of labels to read.
        trials: Searches from different start rows.
        refit: Labels after which hyperparameters are fitted again.
        batches: Labels read at a time.
        as_published: Whether to search as the publication does in addition.
        seed: Seed of all random draws.
    """

    target: str
    goal: Literal["maximise", "minimise"]
    representations: Mapping[str, Sequence[str]]
    start: float = 0.04
    bins: int = 5
    picks: int = 100
    trials: int = 200
    refit: int = 10
    batches: Sequence[int] = (1,)
    as_published: bool = False
    seed: int = 0

    def searches(self) -> list[tuple[str, AcquisitionSettings, int]]:
        """Value of the column ``way``, settings and batch of each kind of search."""
        published = [("published", PUBLISHED, 1)] if self.as_published else []
        default = [("sound", DEFAULT_SETTINGS, batch) for batch in self.batches]
        return [*published, *default, ("ranking", RANKING, 1)]

    def run(self, rows: ScaleData, latents: Mapping[str, str | Path]) -> tuple[pd.DataFrame, int]:
        """Search in each way and representation.

        Args:
            rows: Rows of the scale.
            latents: Latents that describe a row in addition, by name of the representation.

        Returns:
            One row a label: the keys of `ORDER`, its ``place``, the ``row`` in the pool, the ``view``, and
            whether it is the ``best``; and the number of start rows.

        Raises:
            InputError: The pool is too small for start and picks, or latents are missing.
        """
        y = rows.y[self.target] * (1.0 if self.goal == "maximise" else -1.0)
        first = start_rows(y, self.start, self.trials, self.bins, self.seed)
        parts = [
            _labels_read(
                _random_order(first, y, self.seed), first, representation=RANDOM, way=RANDOM, batch=1
            )
        ]
        for name, blocks in self.representations.items():
            x = describe(rows, blocks, latents.get(name))
            for kind, settings, batch in self.searches():
                picked = pool_search(
                    x,
                    y,
                    first,
                    picks=self.picks,
                    batch=batch,
                    refit=self.refit,
                    settings=settings,
                    seed=self.seed,
                )
                parts.append(_labels_read(picked, first, representation=name, way=kind, batch=batch))
                parts[-1]["view"] = parts[-1]["trial"] % len(x)
                log.info("%s, %s, batches of %d: finished", name, kind, batch)
        labels = pd.concat(parts, ignore_index=True)
        labels["best"] = (y == y.max())[labels["row"]]
        return labels, first.shape[1]


def search_pool(
    features: str | Path,
    data: str | Path,
    pool: str | Path,
    order: str | Path,
    *,
    scale: str,
    latents: Mapping[str, str | Path],
    trials: PoolTrials,
) -> pd.DataFrame:
    """Search a pool in several ways, many times each, and write which labels were read until the best row.

    Args:
        features: Features and targets of the scale.
        data: Its data set, read: formula and classes of the best row.
        pool: Table to write, `POOL`.
        order: Table to write, `ORDER`.
        scale: Name of the scale.
        latents: Latents that describe a row in addition, by name of the representation.
        trials: The searches.

    Returns:
        The first table.

    Raises:
        InputError: A table is missing or does not fit, or the pool is too small for start and picks.
    """
    rows = ScaleData.read(features)
    labels, n_start = trials.run(rows, latents)
    y = rows.y[trials.target]
    best = y == (y.max() if trials.goal == "maximise" else y.min())
    facts = {
        "scale": scale,
        "target": trials.target,
        "unit": rows.units[trials.target],
        "goal": trials.goal,
        "rows": len(y),
        "picks": trials.picks,
        "best": _best_rows(data, rows.row_id[best], trials.target),
    }
    searches = labels.groupby([*_KEYS, "view"], sort=False)
    table = searches.agg(seen=("place", "size"), found=("best", "any")).reset_index()
    table = table.assign(start=n_start, share=table["seen"] / len(y))
    tables.write(pool, table, POOL, facts)
    row = labels["row"].to_numpy()
    labels = labels.assign(row_id=rows.row_id[row], value=y[row])
    tables.write(order, labels[list(ORDER)], ORDER, facts)
    return table


def _random_order(start: NDArray[np.int64], y: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
    """The rows that are not in a start, in random order up to the best; -1 after it, (trials, rows)."""
    random = np.random.default_rng([seed, 1])
    unlabelled = np.stack([np.setdiff1d(np.arange(len(y)), rows) for rows in start])
    order = random.permuted(unlabelled, axis=1)
    best = y[order] == y.max()
    return np.where(best.cumsum(axis=1) - best > 0, -1, order)


def _labels_read(picked: NDArray[np.int64], start: NDArray[np.int64], **search: Any) -> pd.DataFrame:
    """One row a label: representation, way, batch, trial, place and row in the pool."""
    rows = np.concatenate([start, picked], axis=1)
    trial, place = np.nonzero(rows >= 0)
    columns = {"trial": trial, "place": place, "row": rows[trial, place], "view": 0}
    return pd.DataFrame(columns).assign(**search)


def _best_rows(data: str | Path, row_ids: NDArray[np.int64], target: str) -> list[dict[str, Any]]:
    """The best rows by formula, classes and label."""
    schema = tables.schema(data)
    columns = ["formula", *(name for name, column in schema.items() if column.role == "category"), target]
    frame = tables.read(data, columns=["row_id", *columns]).set_index("row_id")
    rows = frame.loc[row_ids, columns].itertuples(index=False)
    return [dict(zip(columns, row, strict=True)) for row in rows]
