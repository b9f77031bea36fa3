"""Search methods side by side in a pool of known labels: how many each has to see to find the best row."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat import tables
from nestmat.errors import InputError
from nestmat.search.pool.expected_improvement import PUBLISHED, RANKING, SOUND, pool_search, start_rows
from nestmat.tables import Column, Schema
from nestmat.training.scale_data import ScaleData, is_latent

log = logging.getLogger(__name__)

RANDOM = "random"
"""The random order, as representation and as way."""

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
        latents: Latents of a trained model for these rows: the members that were trained on every row are
            taken; None for none.

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
            "lacks latents of members that were trained on every row, or of a row of the pool.",
            file=path,
            remedy="delete it and run again.",
        )
    return np.stack(members)


def search_pool(
    features: str | Path,
    data: str | Path,
    pool: str | Path,
    order: str | Path,
    *,
    scale: str,
    target: str,
    goal: Literal["maximise", "minimise"],
    representations: Mapping[str, Sequence[str]],
    latents: Mapping[str, str | Path],
    start: float = 0.04,
    bins: int = 5,
    picks: int = 100,
    trials: int = 200,
    refit: int = 10,
    batches: Sequence[int] = (1,),
    as_published: bool = False,
    seed: int = 0,
) -> pd.DataFrame:
    """Search a pool in several ways, many times each, and write what was seen until the best row was found.

    Args:
        features: Features and targets of the scale.
        data: Its data set, read: formula and classes of the best row.
        pool: Table to write, `POOL`.
        order: Table to write, `ORDER`.
        scale: Name of the scale.
        target: Column whose best value is sought.
        goal: What is best.
        representations: Feature blocks that describe a row, by name of the description.
        latents: Latents that describe it as well, by that name.
        start: Share of the rows whose labels are known before.
        bins: Quantile bins that these are spread over.
        picks: Most labels asked for.
        trials: Searches from different start rows.
        refit: Labels after which hyperparameters are fitted anew.
        batches: Labels asked for at a time.
        as_published: Whether to search in the way of the publication too.
        seed: Seed of all that is drawn.

    Returns:
        The first table.

    Raises:
        InputError: A table is missing or does not fit, or the pool is too small for start and picks.
    """
    rows = ScaleData.read(features)
    y = rows.y[target] * (1.0 if goal == "maximise" else -1.0)
    first = start_rows(y, start, trials, bins, seed)
    ways = [("published", PUBLISHED, 1)] * as_published
    ways += [("sound", SOUND, batch) for batch in batches] + [("ranking", RANKING, 1)]
    parts = [_seen(_random(first, y, seed), first, representation=RANDOM, way=RANDOM, batch=1)]
    for name, blocks in representations.items():
        x = describe(rows, blocks, latents.get(name))
        for key, way, batch in ways:
            found = pool_search(x, y, first, picks=picks, batch=batch, refit=refit, way=way, seed=seed)
            parts.append(_seen(found, first, representation=name, way=key, batch=batch))
            parts[-1]["view"] = parts[-1]["trial"] % len(x)
            log.info("%s, %s, batches of %d: done", name, key, batch)
    frame = pd.concat(parts, ignore_index=True)
    best = y == y.max()
    facts = {
        "scale": scale,
        "target": target,
        "unit": rows.units[target],
        "goal": goal,
        "rows": len(y),
        "picks": picks,
        "best": _named(data, rows.row_id[best], target),
    }
    frame["best"] = best[frame["row"]]
    searches = frame.groupby([*_KEYS, "view"], sort=False)
    table = searches.agg(seen=("place", "size"), found=("best", "any")).reset_index()
    table = table.assign(start=first.shape[1], share=table["seen"] / len(y))
    tables.write(pool, table, POOL, facts)
    row = frame["row"].to_numpy()
    labels = frame.assign(row_id=rows.row_id[row], value=rows.y[target][row])
    tables.write(order, labels[list(ORDER)], ORDER, facts)
    return table


def _random(start: NDArray[np.int64], y: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
    """The rows that a start leaves in random order, up to the best; -1 after it, (trials, rows)."""
    random = np.random.default_rng([seed, 1])
    rest = np.stack([np.setdiff1d(np.arange(len(y)), rows) for rows in start])
    order = random.permuted(rest, axis=1)
    best = y[order] == y.max()
    return np.where(best.cumsum(axis=1) - best > 0, -1, order)


def _seen(found: NDArray[np.int64], start: NDArray[np.int64], **about: Any) -> pd.DataFrame:
    """One row a label: representation, way, batch, trial, place and row in the pool."""
    rows = np.concatenate([start, found], axis=1)
    trial, place = np.nonzero(rows >= 0)
    return pd.DataFrame({"trial": trial, "place": place, "row": rows[trial, place], "view": 0}).assign(
        **about
    )


def _named(data: str | Path, row_ids: NDArray[np.int64], target: str) -> list[dict[str, Any]]:
    """The best rows by formula, classes and label."""
    columns = tables.schema(data)
    wanted = ["formula", *(name for name, column in columns.items() if column.role == "category"), target]
    frame = tables.read(data, columns=["row_id", *wanted]).set_index("row_id")
    return [dict(zip(wanted, row, strict=True)) for row in frame.loc[row_ids, wanted].itertuples(index=False)]
