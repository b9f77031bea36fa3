"""Contributions of inputs to targets and latents of a trained scale, and of latents to targets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.interpretation.attribution import (
    MAX_PLAYERS,
    Function,
    permutation_importance,
    sampled_shapley_values,
    shapley_values,
)
from nestmat.interpretation.members import Explained, MemberNetwork, players
from nestmat.tables import Column

log = logging.getLogger(__name__)

EVALUATIONS = 40_000_000
"""Evaluations of the network that the Shapley values of a scale may take, some 15 s on one core: fewer rows
are explained where all would take more."""
REPEATS = 20
"""Draws of a background row for each row, in permutation importance."""
ORDERS, SAMPLED_ROWS = 50, 400
"""Random orders of the inputs, and rows of a fold, where Shapley values are sampled."""

SHAPLEY: tables.Schema = {
    "function": Column("string", role="key", description="target:<name>, latent:<name> or head:<target>"),
    "input": Column("string", role="key", description="input or group of inputs; of a head, a latent"),
    "mean_abs": Column("float64", description="mean absolute attribution over the rows explained"),
    "std": Column("float64", description="standard deviation over the members"),
    "method": Column("string", description="exact (Shapley values) or permutation (mean absolute change)"),
    "unit": Column("string", description="unit of the function, of mean_abs and of std"),
}
ATTRIBUTIONS: tables.Schema = {
    "target": Column("string", role="key", description="a target that is a class"),
    "row_id": Column("int64", role="key"),
    "input": Column("string", role="key", description="input or group of inputs"),
    "value": Column(
        "float64", description="Shapley value of the probability of class 1, mean over the seeds"
    ),
    "level": Column(
        "float64", description="share of the rows that have less of this input; NaN of several columns"
    ),
}


def _draw_rows(
    train: np.ndarray, players: int, members: int, background: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a fold to explain, and training rows that stand for a missing input.

    Args:
        train: Training rows of the fold, (n,).
        players: Number of inputs or groups.
        members: Members of the fold.
        background: Number of background rows; fewer where the fold has not as many.
        seed: Seed of both draws.
    """
    rng = np.random.default_rng(seed)
    inside, outside = np.flatnonzero(train), np.flatnonzero(~train)
    base = rng.choice(inside, min(background, len(inside)), replace=False)
    count = len(outside)
    if players <= MAX_PLAYERS:
        # Rows that all folds may explain together; each fold has its share.
        most = EVALUATIONS // (2**players * len(base) * members)
        count = min(count, max(2, most * count // len(train)))
    return np.sort(rng.choice(outside, count, replace=False)), np.sort(base)


def _folds_to_explain(
    explained: Explained, players: int, background: int, seed: int
) -> Iterator[tuple[int, list[int], np.ndarray, np.ndarray]]:
    """Fold, its members, rows to explain and background rows, see `_draw_rows`."""
    folds = explained.members["fold"].to_numpy()
    for fold in np.unique(folds).tolist():
        members = np.flatnonzero(folds == fold).tolist()
        train = explained.train[members[0]]
        yield fold, members, *_draw_rows(train, players, len(members), background, seed + fold)


def _mean_attributions(
    explained: Explained,
    values: np.ndarray,
    groups: Mapping[str, list[int]],
    order: np.ndarray,
    function: Callable[[MemberNetwork], Function],
    background: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean absolute attributions of every member, and of the mean over the seeds.

    Args:
        explained: Members and rows.
        values: Inputs of the function for each member, (m, n, width).
        groups: Players, as columns of the reference member.
        order: Those columns in each member, (m, width).
        function: What is explained of a member.
        background: Background rows a fold.
        seed: Seed of the draws.

    Returns:
        (m, players, outputs), and (players, outputs).
    """
    by_member, by_row = [], []
    for fold, members, rows, base in _folds_to_explain(explained, len(groups), background, seed):
        signed = []
        for m in members:
            columns = {name: order[m, indices].tolist() for name, indices in groups.items()}
            problem = function(explained.network(m)), values[m, rows], values[m, base], columns
            if len(groups) <= MAX_PLAYERS:
                attributions = shapley_values(*problem)
            else:
                # A mean over the rows stands for all of them; it is positive already.
                attributions = permutation_importance(*problem, repeats=REPEATS, seed=seed + fold)[0][None]
            signed.append(attributions)
            by_member.append(np.abs(attributions).mean(axis=0))
        by_row.append(np.abs(np.mean(signed, axis=0)))
    log.info("%d inputs explained at %d rows", len(groups), sum(len(part) for part in by_row))
    return np.stack(by_member), np.concatenate(by_row).mean(axis=0)


def _input_groups(explained: Explained, groups: Mapping[str, Sequence[str]]) -> dict[str, list[int]]:
    names = explained.trained.specification.inputs
    return players({name: explained.labels(name) for name in names}, explained.data.kinds, groups)


def shapley_table(
    explained: Explained, groups: Mapping[str, Sequence[str]], background: int, seed: int
) -> pd.DataFrame:
    """What inputs contribute to targets and latents, and latents to targets, `SHAPLEY`.

    Rows left out of a fold are explained, with background rows that trained in it. Targets are means over
    the seeds of the fold; latents and heads are of single members, averaged after the absolute value.

    Args:
        explained: Members and rows.
        groups: Named groups of input columns or of whole blocks.
        background: Background rows a fold.
        seed: Seed of all draws.
    """
    units = [explained.trained.units[name] for name in explained.targets]
    latents, inputs = explained.latent_names, _input_groups(explained, groups)
    members, ensemble = _mean_attributions(
        explained, explained.inputs(), inputs, explained.input_order(), lambda n: n.forward, background, seed
    )
    mean = np.concatenate([members.mean(axis=0)[:, : len(latents)], ensemble[:, len(latents) :]], axis=1)
    functions = [f"latent:{z}" for z in latents] + [f"target:{name}" for name in explained.targets]
    parts = [_shapley_frame(functions, [""] * len(latents) + units, list(inputs), mean, members)]
    if explained.targets:
        members, _ = _mean_attributions(
            explained,
            explained.latents.astype(np.float32),
            {name: [i] for i, name in enumerate(latents)},
            explained.alignment.order,
            lambda n: n.head,
            background,
            seed,
        )
        functions = [f"head:{name}" for name in explained.targets]
        parts.append(_shapley_frame(functions, units, latents, members.mean(axis=0), members))
    return pd.concat(parts, ignore_index=True)


def _shapley_frame(
    functions: list[str], units: list[str], inputs: list[str], mean: np.ndarray, members: np.ndarray
) -> pd.DataFrame:
    spread = members.std(axis=0, ddof=1) if len(members) > 1 else np.full_like(mean, np.nan)
    return pd.DataFrame(
        {
            "function": np.repeat(functions, len(inputs)),
            "input": np.tile(inputs, len(functions)),
            "mean_abs": mean.T.ravel(),
            "std": spread.T.ravel(),
            "method": "exact" if len(inputs) <= MAX_PLAYERS else "permutation",
            "unit": np.repeat(units, len(inputs)),
        }
    )


def attribution_table(
    explained: Explained, groups: Mapping[str, Sequence[str]], background: int, seed: int
) -> pd.DataFrame:
    """Shapley values of the probabilities of classes at single rows left out of a fold, `ATTRIBUTIONS`.

    Args:
        explained: Members and rows.
        groups: Named groups of input columns or of whole blocks.
        background: Background rows a fold.
        seed: Seed of all draws.
    """
    targets = [name for name in explained.targets if name in explained.data.classes]
    if not targets:
        return pd.DataFrame(columns=list(ATTRIBUTIONS))
    inputs, order = explained.inputs(), explained.input_order()
    inputs_by_name = _input_groups(explained, groups)
    outputs = [len(explained.latent_names) + explained.targets.index(name) for name in targets]
    parts = []
    for fold, members, rows, base in _folds_to_explain(explained, len(inputs_by_name), background, seed):
        rows = np.sort(np.random.default_rng(seed + fold).permutation(rows)[:SAMPLED_ROWS])
        attributions = []
        for m in members:
            columns = {name: order[m, indices].tolist() for name, indices in inputs_by_name.items()}
            problem = explained.network(m).forward, inputs[m, rows], inputs[m, base], columns
            if len(inputs_by_name) <= MAX_PLAYERS:
                attributions.append(shapley_values(*problem)[..., outputs])
            else:
                sampled = sampled_shapley_values(*problem, orders=ORDERS, seed=seed + fold)
                attributions.append(sampled[..., outputs])
        mean, reference = np.mean(attributions, axis=0), members[0]
        for p, (name, indices) in enumerate(inputs_by_name.items()):
            level = np.full(len(rows), np.nan)
            if len(indices) == 1:
                level = _level(inputs[reference, :, order[reference, indices[0]]], rows)
            for t, target in enumerate(targets):
                columns = {"target": target, "input": name, "level": level, "value": mean[:, p, t]}
                parts.append(pd.DataFrame({"row_id": explained.data.row_id[rows], **columns}))
    return pd.concat(parts, ignore_index=True)[list(ATTRIBUTIONS)]


def _level(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Share of all values (n,) that are smaller than those of some rows, (rows,)."""
    return np.searchsorted(np.sort(values), values[rows]) / len(values)
