"""Measures of association between columns, with permutation tests.

Pearson and Spearman correlations are those of scipy, for all pairs of columns at once. Distance correlation
and the permutation test are own code: dcor is not among the dependencies, and `scipy.stats.permutation_test`
tests one statistic of one pair at a time, where here all latents of all members are permuted together and
thousands of pairs share each permutation. Tests compare them with the definitions and with scipy.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np
from scipy.stats import false_discovery_control, rankdata

from nestmat.interpretation.alignment import standardised

Method = Literal["pearson", "spearman", "distance"]
METHODS: tuple[Method, ...] = get_args(Method)

DISTANCE_ROWS = 1000
"""Rows that a distance correlation draws where there are more: it costs n^2."""
TEST_ROWS = 400
"""Rows that a test of distance correlation draws where there are more: it costs n^2 a permutation."""
CHUNK = 2**17
"""Numbers in the largest temporary array: larger ones leave the cache, and take three times as long."""


def distance_covariances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Squared sample distance covariance of every column of ``x`` with every column of ``y``.

    V-statistic of Székely, Rizzo and Bakirov, Ann. Statist. 35, 2769 (2007), eq. 2.9, in the form
    S1 + S2 - 2 S3 of their theorem 1, of which S1 alone needs the distance matrices: one pass over blocks of
    their upper triangles.

    Args:
        x: (n, k).
        y: (n, m).

    Returns:
        (k, m). Time O(n^2 k m), memory bounded.
    """
    n = len(x)
    x, y = np.ascontiguousarray(x.T, dtype=np.float64), np.ascontiguousarray(y.T, dtype=np.float64)
    cross = np.zeros((len(x), len(y)))
    for rows in _blocks(n, n * (len(x) + len(y))):
        # Rows of the block with those from its first one on.
        a, b = (np.abs(v[:, rows, None] - v[:, None, rows.start :]) for v in (x, y))
        inside_a, inside_b = (v[:, :, : v.shape[1]].reshape(len(v), -1) for v in (a, b))
        # Pairs stand for both their orders, which those within the block have already.
        cross += 2.0 * (a.reshape(len(a), -1) @ b.reshape(len(b), -1).T) - inside_a @ inside_b.T
    x_mean, y_mean = mean_distances(x.T), mean_distances(y.T)
    return cross / n**2 + np.outer(x_mean.mean(0), y_mean.mean(0)) - 2.0 * (x_mean.T @ y_mean) / n


def mean_distances(x: np.ndarray) -> np.ndarray:
    """Mean distance of every number of ``x`` (n, k) from those of its column, (n, k)."""
    n = len(x)
    order = np.argsort(x, axis=0)
    ordered = np.take_along_axis(x, order, axis=0)
    # Of a number with i smaller ones, whose sum is s: i x - s below, and total - s - x - (n - 1 - i) x above.
    smaller = np.cumsum(ordered, axis=0) - ordered
    sums = ordered * (2.0 * np.arange(n)[:, None] - n) + ordered.sum(axis=0) - 2.0 * smaller
    means = np.empty_like(sums)
    np.put_along_axis(means, order, sums / n, axis=0)
    return means


def distance_variances(x: np.ndarray) -> np.ndarray:
    """Squared sample distance variance of every column of ``x`` (n, k), (k,); NaN where it is constant."""
    mean = mean_distances(x)
    # The mean square of the distances is twice the variance.
    variance = 2.0 * x.var(axis=0) + mean.mean(0) ** 2 - 2.0 * (mean**2).mean(0)
    return np.where(np.ptp(x, axis=0) > 0, variance, np.nan)


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

    Example:
        >>> x = np.linspace(-1.0, 1.0, 41)[:, None]
        >>> bool(abs(correlation(x, x**2, "pearson")[0, 0]) < 1e-12)
        True
        >>> bool(correlation(x, x**2, "distance")[0, 0] > 0.4)
        True
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if method != "distance":
        a, b = (standardised(rankdata(v, axis=0) if method == "spearman" else v) for v in (x, y))
        return np.clip(a.T @ b, -1.0, 1.0)
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    scale = np.sqrt(np.outer(distance_variances(x), distance_variances(y)))
    return np.sqrt(np.clip(distance_covariances(x, y) / scale, 0.0, 1.0))


def rows_of(method: Method, n: int) -> int:
    """Number of rows, of ``n``, that `mean_correlation` takes."""
    return min(n, DISTANCE_ROWS) if method == "distance" else n


def mean_correlation(latents: np.ndarray, partners: np.ndarray, method: Method, seed: int = 0) -> np.ndarray:
    """Correlation, averaged over members whose latents are aligned.

    Args:
        latents: (members, n, k).
        partners: The same for all members, (1, n, m), or of each, (members, n, m).
        method: As in `correlation`. Distance correlation draws `DISTANCE_ROWS` rows where there are more.
        seed: Seed of the draw.

    Returns:
        (k, m): the mean, for distance correlation the root mean square, over the members.
    """
    if method == "distance":
        rng = np.random.default_rng(seed)
        latents, partners = _drawn_rows(latents, partners, rows_of(method, latents.shape[1]), rng)
    pairs = zip(latents, np.broadcast_to(partners, (len(latents), *partners.shape[1:])), strict=True)
    values = np.stack([correlation(z, x, method) for z, x in pairs])
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
    latents: np.ndarray, partners: np.ndarray, method: Method, permutations: int, seed: int
) -> np.ndarray:
    """Probability of an association as strong as the observed one if rows were paired at random.

    All latents of all members move together, so that the members' dependence is kept and the mean over the
    members is what is tested. Rows are taken as exchangeable: repeated materials make the values too small.

    Args:
        latents: Aligned latents, (members, n, k).
        partners: (1, n, m) or (members, n, m).
        method: As in `correlation`; two-sided for pearson and spearman. Distance correlation draws
            `TEST_ROWS` rows where there are more.
        permutations: Number of random permutations; the smallest value is 1 / (permutations + 1).
        seed: Seed of the permutations and of the draw.

    Returns:
        (k, m); NaN where a column is constant.
    """
    rng = np.random.default_rng(seed)
    if method == "distance":
        latents, partners = _drawn_rows(latents, partners, TEST_ROWS, rng)
    n = latents.shape[1]
    z, x = _units(latents, method), _units(partners, method)
    if len(partners) == 1:
        # The statistic is linear in the members' units: their mean is one member.
        z = z.mean(axis=0, keepdims=True)
    k, m = z.shape[2], x.shape[2]
    x = x.reshape(-1, m)
    observed = np.abs(z.reshape(-1, k).T @ x)
    # Ties with the observed value count, also when they differ by rounding: descriptors take few levels.
    threshold = np.nan_to_num(observed - 1e-5 * observed - 1e-12 * len(z))
    z, x = np.nan_to_num(z), np.nan_to_num(x)
    exceeding = np.zeros((k, m), dtype=np.int64)
    for _ in range(permutations):
        permuted = np.take(z, _permute_items(rng.permutation(n), method), axis=1)
        exceeding += np.abs(permuted.reshape(-1, k).T @ x) >= threshold
    return np.where(np.isnan(observed), np.nan, (exceeding + 1) / (permutations + 1))


def _drawn_rows(
    latents: np.ndarray, partners: np.ndarray, most: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The same rows of both, drawn at random where there are more than ``most``."""
    n = latents.shape[1]
    if n <= most:
        return latents, partners
    rows = np.sort(rng.choice(n, most, replace=False))
    return latents[:, rows], partners[:, rows]


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


def _permute_items(permutation: np.ndarray, method: Method) -> np.ndarray:
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
