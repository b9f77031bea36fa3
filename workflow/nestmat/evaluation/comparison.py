"""Does nesting help? Paired comparison of two models on the same validation rows, with an interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t as student

from nestmat.tables import Column, Schema

COMPARISONS: Schema = {
    "scale": Column("string"),
    "protocol": Column("string"),
    "nested": Column("string"),
    "single": Column("string"),
    "target": Column("string"),
    "metric": Column("string"),
    "difference": Column("float64", description="nested minus single: negative where nesting helps"),
    "low": Column("float64", description="lower end of the 95 % interval over clusters"),
    "high": Column("float64", description="upper end of the 95 % interval over clusters"),
    "p_value": Column("float64", description="exchange of the two models within clusters, two-sided"),
    "p_folds": Column("float64", description="corrected resampled t-test over folds, two-sided"),
    "clusters": Column("int32", description="materials, or levels where a protocol leaves out whole levels"),
    "unit": Column("string"),
}

DRAWS = 4000
"""Draws of the bootstrap and of the permutation test."""

_CELLS = 2_000_000


@dataclass(frozen=True)
class Difference:
    """A mean difference over rows that belong to clusters.

    Attributes:
        mean: Mean over the rows.
        low: 2.5 % quantile over draws of clusters.
        high: 97.5 % quantile over draws of clusters.
        p_value: Share of random signs, one a cluster, that give a difference at least as large.
        clusters: Number of clusters. With one there is neither interval nor p-value: NaN.
    """

    mean: float
    low: float
    high: float
    p_value: float
    clusters: int


def clustered_difference(
    difference: np.ndarray, clusters: np.ndarray, seed: int, draws: int = DRAWS
) -> Difference:
    """Mean of paired differences, with an interval and a test that respect clusters.

    Rows of one material are not independent: the bootstrap draws materials, and the permutation test
    exchanges the two models for all rows of a material at once.

    Args:
        difference: Difference of each row, (n,).
        clusters: Cluster of each row, (n,).
        seed: Seed of the draws.
        draws: Number of draws.
    """
    _, cluster = np.unique(np.asarray(clusters).astype(str), return_inverse=True)
    sums, counts = np.bincount(cluster, weights=difference), np.bincount(cluster)
    total, n = len(sums), len(difference)
    if total < 2:
        return Difference(float(np.mean(difference)), np.nan, np.nan, np.nan, total)
    rng = np.random.default_rng(seed)
    means, extreme = [], 0
    # A hair below, so that rounding does not make a sum that is equal a smaller one.
    observed = abs(sums.sum()) * (1.0 - 1e-12)
    step = max(1, _CELLS // total)
    for start in range(0, draws, step):
        size = min(step, draws - start)
        drawn = rng.multinomial(total, np.full(total, 1.0 / total), size=size)
        means.append((drawn @ sums) / (drawn @ counts))
        extreme += int(np.sum(np.abs(rng.choice([-1.0, 1.0], size=(size, total)) @ sums) >= observed))
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975])
    return Difference(float(sums.sum() / n), float(low), float(high), (extreme + 1) / (draws + 1), total)


def corrected_t_test(differences: np.ndarray, test_share: float) -> float:
    """P-value of the corrected resampled t-test.

    Training sets of folds overlap, which the plain t-test ignores: Nadeau and Bengio, Machine Learning 52,
    239 (2003), replace the variance of the mean s^2 / J by s^2 (1 / J + n_test / n_train).

    Args:
        differences: Difference of the metric in each fold of each repeat, (J,).
        test_share: n_test / n_train.

    Returns:
        Two-sided p-value; NaN with fewer than two folds.
    """
    J = len(differences)
    if J < 2:
        return np.nan
    spread = differences.std(ddof=1)
    if spread == 0.0:
        return 1.0 if differences.mean() == 0.0 else 0.0
    statistic = differences.mean() / (spread * np.sqrt(1.0 / J + test_share))
    return float(2.0 * student.sf(abs(statistic), J - 1))


def compare_pairs(
    predictions: pd.DataFrame,
    pairs: Sequence[Sequence[str]],
    material: pd.Series,
    levels: Mapping[str, pd.Series],
    seed: int = 0,
) -> Iterator[dict[str, object]]:
    """Compare pairs of models in every protocol that both ran in.

    Args:
        predictions: Validation rows of ensembles over seeds (``tables.PREDICTIONS``).
        pairs: (nested, single) names of models.
        material: Key of the material by row_id: its rows are one cluster.
        levels: By protocol that leaves out whole levels, the level by row_id, which is the cluster there: the
            rows of a level are predicted by members that have never seen it, all wrong in the same way.
        seed: Seed of bootstrap and permutations.

    Yields:
        A row of `COMPARISONS` without scale and unit, for the mean absolute error.
    """
    keys = ["repeat", "fold", "row_id"]
    for (protocol, target), frame in predictions.groupby(["protocol", "target"], sort=False):
        errors = (frame["true"] - frame["mean"]).abs()
        wide = errors.set_axis(pd.MultiIndex.from_frame(frame[[*keys, "model"]])).unstack("model")
        for nested, single in pairs:
            if not {nested, single} <= set(wide.columns):
                continue
            # A row counts once, with its mean over repeats: repeats are not new materials.
            paired = (wide[nested] - wide[single]).dropna()
            rows = paired.groupby("row_id").mean()
            cluster = levels.get(str(protocol), material).loc[rows.index]
            found = clustered_difference(rows.to_numpy(), cluster.to_numpy(), seed)
            folds = paired.groupby(["repeat", "fold"]).mean().to_numpy()
            in_repeat = len(folds) / paired.index.get_level_values("repeat").nunique()
            yield {
                "protocol": protocol,
                "nested": nested,
                "single": single,
                "target": target,
                "metric": "mae",
                "difference": found.mean,
                "low": found.low,
                "high": found.high,
                "p_value": found.p_value,
                "p_folds": corrected_t_test(folds, 1.0 / (in_repeat - 1.0)) if in_repeat > 1 else np.nan,
                "clusters": found.clusters,
            }
