"""Association of latents with descriptors, targets and each other, with permutation tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np
from scipy.stats import false_discovery_control, rankdata

from nestmat.interpretation.alignment import standardised

Method = Literal["pearson", "spearman", "distance"]
METHODS: tuple[Method, ...] = get_args(Method)

# Distance correlation costs n^2 a permutation: its test draws this many rows where there are more.
TEST_ROWS = 400
# Numbers in the largest temporary array.
CHUNK = 2**23


def distance_covariances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Squared sample distance covariance of every column of ``x`` with every column of ``y``.

    V-statistic of Székely, Rizzo and Bakirov, Ann. Statist. 35, 2769 (2007), eq. 2.9, in the form
    S1 + S2 - 2 S3 of their theorem 1, which needs one pass over blocks of rows of the distance matrices.

    Args:
        x: (n, k).
        y: (n, m).

    Returns:
        (k, m). Time O(n^2 k m), memory bounded.
    """
    n = len(x)
    cross = np.zeros((x.shape[1], y.shape[1]))
    x_mean, y_mean = np.empty_like(x, dtype=np.float64), np.empty_like(y, dtype=np.float64)
    for rows in _blocks(n, n * (x.shape[1] + y.shape[1])):
        a, b = np.abs(x[rows, None] - x[None]), np.abs(y[rows, None] - y[None])
        cross += a.reshape(-1, x.shape[1]).T @ b.reshape(-1, y.shape[1])
        x_mean[rows], y_mean[rows] = a.mean(axis=1), b.mean(axis=1)
    return cross / n**2 + np.outer(x_mean.mean(0), y_mean.mean(0)) - 2.0 * (x_mean.T @ y_mean) / n


def distance_variances(x: np.ndarray) -> np.ndarray:
    """Squared sample distance variance of every column of ``x`` (n, k), (k,)."""
    n = len(x)
    square = np.zeros(x.shape[1])
    mean = np.empty_like(x, dtype=np.float64)
    for rows in _blocks(n, 2 * n * x.shape[1]):
        a = np.abs(x[rows, None] - x[None])
        square += np.einsum("ijk,ijk->k", a, a)
        mean[rows] = a.mean(axis=1)
    found = square / n**2 + mean.mean(0) ** 2 - 2.0 * (mean**2).mean(0)
    return np.where(np.ptp(x, axis=0) > 0, found, np.nan)


def _blocks(n: int, numbers_a_row: int) -> Iterator[slice]:
    step = max(1, CHUNK // numbers_a_row)
    return (slice(start, start + step) for start in range(0, n, step))


def correlation(x: np.ndarray, y: np.ndarray, method: Method) -> np.ndarray:
    """Correlation of every column of ``x`` with every column of ``y``.

    Args:
        x: (n, k).
        y: (n, m).
        method: pearson, spearman (average ranks for ties) or distance (0 to 1; 0 only if independent).

    Returns:
        (k, m); NaN where a column is constant.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if method != "distance":
        a, b = (standardised(rankdata(v, axis=0) if method == "spearman" else v) for v in (x, y))
        return np.clip(a.T @ b, -1.0, 1.0)
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    scale = np.sqrt(np.outer(distance_variances(x), distance_variances(y)))
    return np.sqrt(np.clip(distance_covariances(x, y) / scale, 0.0, 1.0))


def mean_correlation(latents: np.ndarray, others: np.ndarray, method: Method) -> np.ndarray:
    """Correlation, averaged over members whose latents are aligned.

    Args:
        latents: (members, n, k).
        others: The same for all members, (1, n, m), or of each, (members, n, m).
        method: As in `correlation`.

    Returns:
        (k, m): the mean, for distance correlation the root mean square, over the members.
    """
    pairs = zip(latents, np.broadcast_to(others, (len(latents), *others.shape[1:])), strict=True)
    values = np.stack([correlation(z, other, method) for z, other in pairs])
    return np.sqrt((values**2).mean(axis=0)) if method == "distance" else values.mean(axis=0)


def adjusted(value: np.ndarray, n: int) -> np.ndarray:
    """|r| above its standard error, rescaled to 0..1: max(0, (|r| - s) / (1 - s)) with s = 1 / sqrt(n - 3).

    The soft correlation of the NestedAE follow-up, taken from Gryffin (Häse et al., Appl. Phys. Rev. 8,
    031406, 2021). NaN below five rows, where s is not below 1.
    """
    if n < 5:
        return np.full_like(value, np.nan)
    error = 1.0 / np.sqrt(n - 3)
    return np.maximum(0.0, (np.abs(value) - error) / (1.0 - error))


def permutation_p_values(
    latents: np.ndarray, others: np.ndarray, method: Method, permutations: int, seed: int
) -> np.ndarray:
    """Probability of an association as strong as the one found if rows were paired at random.

    All latents of all members move together, so that the members' dependence is kept and the mean over the
    members is what is tested. Rows are taken as exchangeable: repeated materials make the values too small.

    Args:
        latents: Aligned latents, (members, n, k).
        others: (1, n, m) or (members, n, m).
        method: As in `correlation`; two-sided for pearson and spearman. Distance correlation draws
            `TEST_ROWS` rows where there are more.
        permutations: Number of random permutations; the smallest value is 1 / (permutations + 1).
        seed: Seed of the permutations and of the draw.

    Returns:
        (k, m); NaN where a column is constant.
    """
    rng = np.random.default_rng(seed)
    n = latents.shape[1]
    if method == "distance" and n > TEST_ROWS:
        rows = np.sort(rng.choice(n, TEST_ROWS, replace=False))
        latents, others, n = latents[:, rows], others[:, rows], TEST_ROWS
    z, x = _units(latents, method), _units(others, method)
    if len(others) == 1:
        # The statistic is linear in the members' units: their mean is one member.
        z = z.mean(axis=0, keepdims=True)
    k, m = z.shape[2], x.shape[2]
    x = x.reshape(-1, m)
    found = np.abs(z.reshape(-1, k).T @ x)
    # Ties with the value found are counted, also when they differ by rounding: descriptors take few levels.
    bar = np.nan_to_num(found - 1e-5 * found - 1e-12 * len(z))
    z, x = np.nan_to_num(z), np.nan_to_num(x)
    exceeding = np.zeros((k, m), dtype=np.int64)
    for _ in range(permutations):
        moved = np.take(z, _moved_items(rng.permutation(n), method), axis=1)
        exceeding += np.abs(moved.reshape(-1, k).T @ x) >= bar
    return np.where(np.isnan(found), np.nan, (exceeding + 1) / (permutations + 1))


def _units(values: np.ndarray, method: Method) -> np.ndarray:
    """Columns as unit vectors whose products are the statistic, (members, items, columns).

    Items are the rows, or for distance correlation the pairs i <= j of rows: there a product is the squared
    correlation, and pairs off the diagonal weigh twice.
    """
    values = np.asarray(values, dtype=np.float64)
    if method != "distance":
        return standardised(rankdata(values, axis=1) if method == "spearman" else values)
    i, j = np.triu_indices(values.shape[1])
    weight = np.sqrt(np.where(i == j, 1.0, 2.0))[:, None]
    units = np.empty((len(values), len(i), values.shape[2]), dtype=np.float32)
    for s, member in enumerate(values):
        for c in range(values.shape[2]):
            distance = np.abs(member[:, None, c] - member[None, :, c])
            mean = distance.mean(axis=0)
            centred = distance - mean[:, None] - mean[None] + mean.mean()
            norm = np.sqrt((centred**2).sum()) if np.ptp(member[:, c]) > 0 else np.nan
            units[s, :, c] = centred[i, j] / norm
        units[s] *= weight
    return units


def _moved_items(permutation: np.ndarray, method: Method) -> np.ndarray:
    """Index of the item that takes each item's place when the rows are permuted, (items,)."""
    if method != "distance":
        return permutation
    n = len(permutation)
    i, j = np.triu_indices(n)
    first, second = np.minimum(permutation[i], permutation[j]), np.maximum(permutation[i], permutation[j])
    return first * n - first * (first - 1) // 2 + second - first


def false_discovery_rates(p_values: np.ndarray) -> np.ndarray:
    """Benjamini-Hochberg q-values of a family of tests; NaN where the test is, and not counted."""
    p_values = np.asarray(p_values, dtype=np.float64)
    q_values = np.full_like(p_values, np.nan)
    tested = ~np.isnan(p_values)
    if tested.any():
        q_values[tested] = false_discovery_control(p_values[tested], method="bh")
    return q_values
