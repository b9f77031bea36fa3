"""Contribution of each input to a function's value at a row: Shapley values, or permutation importance.

A missing input is replaced by its value in background rows (interventional: Janzing, Minorics and Blöbaum,
AISTATS 2020), so the attribution explains the function, not the correlation of the inputs.

The code is own: shap and captum are not among the dependencies, and a coalition is evaluated for the rows of
all outputs at once. Tests compare it with closed forms, the definition and scikit-learn's importances.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import factorial

import numpy as np

from nestmat.errors import InputError

Function = Callable[[np.ndarray], np.ndarray]
Groups = Mapping[str, Sequence[int]]

MAX_PLAYERS = 12
"""Inputs, or groups of inputs, up to which all coalitions are enumerated."""
CHUNK = 2**18
"""Numbers in the largest array of inputs that is made at once."""
BLOCK = 4096
"""Rows that the function is evaluated at together: the layers of a network then stay in the cache."""


def _membership(groups: Groups | None, width: int) -> np.ndarray:
    """Group of each column, (width,)."""
    if groups is None:
        return np.arange(width)
    columns = [column for members in groups.values() for column in members]
    if sorted(columns) != list(range(width)):
        raise InputError(
            f"The groups do not hold each of the {width} inputs once; they hold columns {sorted(columns)}."
        )
    player = np.empty(width, dtype=np.int64)
    for g, members in enumerate(groups.values()):
        player[list(members)] = g
    return player


def _evaluate(function: Function, x: np.ndarray) -> np.ndarray:
    """Values of a function at rows (n, width), a block of rows at a time."""
    blocks = range(0, max(len(x), 1), BLOCK)
    return np.concatenate([np.asarray(function(x[start : start + BLOCK])) for start in blocks])


def shapley_weights(players: int) -> np.ndarray:
    """Weight of the value of every coalition in every player's Shapley value.

    Args:
        players: Number of players, d.

    Returns:
        (d, 2^d); coalition c holds player j where bit j of c is set. +(s-1)!(d-s)!/d! for coalitions of
        size s with the player, -s!(d-s-1)!/d! for those without (Shapley 1953).
    """
    d = players
    inside = _coalitions(np.arange(2**d), d).T
    size = inside.sum(axis=0)
    joined = np.array([0.0] + [factorial(s - 1) * factorial(d - s) / factorial(d) for s in range(1, d + 1)])
    absent = np.array([factorial(s) * factorial(d - s - 1) / factorial(d) for s in range(d)] + [0.0])
    return np.where(inside, joined[size], -absent[size])


def _coalitions(codes: np.ndarray, players: int) -> np.ndarray:
    return (codes[:, None] >> np.arange(players)) & 1 == 1


def shapley_values(
    function: Function, x: np.ndarray, background: np.ndarray, groups: Groups | None = None
) -> np.ndarray:
    """Shapley values of every row by enumeration of all coalitions of inputs, or of groups of inputs.

    Args:
        function: From inputs (rows, width) to values (rows,) or (rows, outputs).
        x: Rows to explain, (n, width).
        background: Rows whose values stand for a missing input, (b, width).
        groups: Column indices by group; every column in one group. By default every column is its own.

    Returns:
        (n, d) or (n, d, outputs) for d inputs or groups; over d they sum to the function's value at the row
        minus its mean over the background. The function is evaluated for 2^d n b rows, in chunks of bounded
        memory.

    Raises:
        InputError: There are more than `MAX_PLAYERS` inputs or groups, or no background rows.

    Example:
        >>> x, background = np.array([[1.0, 2.0]]), np.zeros((1, 2))
        >>> shapley_values(lambda x: x[:, 0] + x[:, 0] * x[:, 1], x, background)
        array([[2., 1.]])
    """
    n, width = x.shape
    player = _membership(groups, width)
    d = width if groups is None else len(groups)
    if d > MAX_PLAYERS:
        raise InputError(
            f"{d} inputs make {2**d} coalitions, too many to enumerate.",
            remedy=f"group them into at most {MAX_PLAYERS}, or use permutation importance.",
        )
    if not len(background):
        raise InputError("Shapley values need background rows, and there are none.")
    weights = shapley_weights(d)
    rows_step = max(1, CHUNK // background.size)
    parts, scalar = [], False
    for first in range(0, n, rows_step):
        rows = x[first : first + rows_step]
        step = max(1, CHUNK // (len(rows) * background.size))
        total: np.ndarray | float = 0.0
        for start in range(0, 2**d, step):
            codes = np.arange(start, min(start + step, 2**d))
            present = _coalitions(codes, d)[:, player]
            mixed = np.where(present[:, None, None], rows[None, :, None], background[None, None])
            values = _evaluate(function, mixed.reshape(-1, width))
            scalar = values.ndim == 1
            mean = values.reshape(len(codes), len(rows), len(background), -1).mean(axis=2, dtype=np.float64)
            total = total + np.tensordot(weights[:, codes], mean, axes=1)
        parts.append(np.moveaxis(np.asarray(total), 0, 1))
    attributions = np.concatenate(parts)
    return attributions[..., 0] if scalar else attributions


def sampled_shapley_values(
    function: Function,
    x: np.ndarray,
    background: np.ndarray,
    groups: Groups | None = None,
    *,
    orders: int,
    seed: int,
) -> np.ndarray:
    """Shapley values estimated from random orders, each run forwards and backwards.

    In an order the inputs of a row replace, one after the other, those of a random background row; the change
    by each one is its contribution (Štrumbelj and Kononenko, Knowl. Inf. Syst. 41, 647, 2014).

    Args:
        function: From inputs (rows, width) to values (rows, outputs).
        x: Rows to explain, (n, width).
        background: Rows whose values stand for a missing input, (b, width).
        groups: Column indices by group; every column in one group. By default every column is its own.
        orders: Random orders.
        seed: Seed of orders and background rows.

    Returns:
        (n, d, outputs) for d inputs or groups.
    """
    rng = np.random.default_rng(seed)
    n, width = x.shape
    player = _membership(groups, width)
    d = width if groups is None else len(groups)
    step, parts = max(1, CHUNK // ((d + 1) * width)), []
    draws = [(rng.permutation(d), rng.integers(0, len(background), size=n)) for _ in range(orders)]
    for first in range(0, n, step):
        rows = x[first : first + step]
        total: np.ndarray | float = 0.0
        for order, base in draws:
            missing = background[np.asarray(base)[first : first + step]]
            for joining in (order, order[::-1]):
                present = np.argsort(joining)[player] < np.arange(d + 1)[:, None]
                mixed = np.where(present[:, None], rows, missing).reshape(-1, width)
                values = _evaluate(function, mixed).astype(np.float64).reshape(d + 1, len(rows), -1)
                change = np.empty((len(rows), d, values.shape[2]))
                change[:, joining] = np.diff(values, axis=0).swapaxes(0, 1)
                total = total + change
        parts.append(np.asarray(total) / (2 * orders))
    return np.concatenate(parts)


def permutation_importance(
    function: Function,
    x: np.ndarray,
    background: np.ndarray,
    groups: Groups | None = None,
    *,
    repeats: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean absolute change of a function when an input, or group, takes the value of a random background row.

    In the function's unit, as mean absolute Shapley values are, and without need of a true value, so that
    latents are explained as targets are.

    Args:
        function: From inputs (rows, width) to values (rows,) or (rows, outputs).
        x: Rows to explain, (n, width).
        background: Rows that values are drawn from, (b, width).
        groups: Column indices by group; every column in one group. By default every column is its own.
        repeats: Independent draws.
        seed: Seed of the draws.

    Returns:
        Mean and standard deviation over the repeats, each (d,) or (d, outputs).
    """
    rng = np.random.default_rng(seed)
    n, width = x.shape
    player = _membership(groups, width)
    value = _evaluate(function, x).astype(np.float64)
    changes = []
    for g in range(width if groups is None else len(groups)):
        replacement = background[rng.integers(len(background), size=(repeats, n))]
        replaced = np.where(player == g, replacement, x).reshape(-1, width)
        values = _evaluate(function, replaced).astype(np.float64).reshape(repeats, *value.shape)
        changes.append(np.abs(values - value).mean(axis=1))
    stacked = np.stack(changes)
    return stacked.mean(axis=1), stacked.std(axis=1, ddof=1) if repeats > 1 else np.zeros_like(stacked[:, 0])
