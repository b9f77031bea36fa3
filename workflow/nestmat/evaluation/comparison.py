"""Does nesting help? Paired comparison of two models on the same validation rows, with an interval."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from nestmat.evaluation.classification import DECISION_THRESHOLD, roc_auc
from nestmat.tables import Column, Schema

COMPARISONS: Schema = {
    "scale": Column("string"),
    "protocol": Column("string"),
    "nested": Column("string"),
    "single": Column("string"),
    "target": Column("string"),
    "metric": Column("string"),
    "difference": Column(
        "float64",
        description="nested minus single: nesting helps where an error is negative, a score positive",
    ),
    "low": Column("float64", description="lower end of the 95 % interval over clusters"),
    "high": Column("float64", description="upper end of the 95 % interval over clusters"),
    "p_value": Column(
        "float64",
        description=(
            "exchange of the two models within clusters, two-sided; of a class McNemar's exact test on a "
            "single split, and for the area under the ROC curve over several splits the test over folds"
        ),
    ),
    "p_folds": Column("float64", description="corrected resampled t-test over folds, two-sided"),
    "clusters": Column("int32", description="materials, or levels where a protocol leaves out whole levels"),
    "unit": Column("string"),
}

DRAWS = 4000
"""Draws of the bootstrap and of the permutation test."""

AUC_DRAWS = 1000
"""Draws for the area under the ROC curve, which is computed again for each."""

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
    # Slightly below, so that rounding does not make an equal sum a smaller one.
    observed = abs(sums.sum()) * (1.0 - 1e-12)
    step = max(1, _CELLS // total)
    for start in range(0, draws, step):
        size = min(step, draws - start)
        drawn = rng.multinomial(total, np.full(total, 1.0 / total), size=size)
        means.append((drawn @ sums) / (drawn @ counts))
        extreme += int(np.sum(np.abs(rng.choice([-1.0, 1.0], size=(size, total)) @ sums) >= observed))
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975])
    return Difference(float(sums.sum() / n), float(low), float(high), (extreme + 1) / (draws + 1), total)


def corrected_t_test(differences: np.ndarray, test_ratio: float) -> float:
    """P-value of the corrected resampled t-test.

    Training sets of folds overlap, which the plain t-test ignores: Nadeau and Bengio, Machine Learning 52,
    239 (2003), replace the variance of the mean s^2 / J by s^2 (1 / J + n_test / n_train).

    Args:
        differences: Difference of the metric in each fold of each repeat, (J,).
        test_ratio: n_test / n_train.

    Returns:
        Two-sided p-value; NaN with fewer than two folds.
    """
    J = len(differences)
    if J < 2:
        return np.nan
    spread = differences.std(ddof=1)
    if spread == 0.0:
        return 1.0 if differences.mean() == 0.0 else 0.0
    statistic = differences.mean() / (spread * np.sqrt(1.0 / J + test_ratio))
    return float(2.0 * stdtr(J - 1, -abs(statistic)))


def resampled_interval(differences: np.ndarray, test_ratio: float) -> tuple[float, float]:
    """The 95 % interval of a mean difference, with the variance of `corrected_t_test`; NaN for one split."""
    J = len(differences)
    if J < 2:
        return np.nan, np.nan
    half_width = stdtrit(J - 1, 0.975) * differences.std(ddof=1) * np.sqrt(1.0 / J + test_ratio)
    return float(differences.mean() - half_width), float(differences.mean() + half_width)


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """P-value of McNemar's exact test that two classifiers are right equally often.

    Psychometrika 12, 153 (1947): only rows that exactly one of them has right carry information.

    Args:
        first: Whether the first is right, (n,).
        second: Whether the second is right, (n,).

    Returns:
        Two-sided p-value; 1 where they are right on the same rows.
    """
    # Only classes need the tests of scipy, which take a second to import.
    from scipy.stats import binomtest

    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    discordant = only_first + only_second
    return float(binomtest(only_first, discordant).pvalue) if discordant else 1.0


def auc_difference(
    true: np.ndarray, first: np.ndarray, second: np.ndarray, clusters: np.ndarray, seed: int
) -> Difference:
    """Difference of the areas under two ROC curves on one split, clusters drawn as in `clustered_difference`.

    Args:
        true: 0 or 1, (n,).
        first: Probabilities of the first model, (n,).
        second: Probabilities of the second model, (n,).
        clusters: Cluster of each row, (n,).
        seed: Seed of the draws.
    """
    _, cluster = np.unique(np.asarray(clusters).astype(str), return_inverse=True)
    total, rng = int(cluster.max()) + 1, np.random.default_rng(seed)
    observed = roc_auc(true, first) - roc_auc(true, second)
    members = [np.flatnonzero(cluster == k) for k in range(total)]
    drawn, exchanged = [], []
    for _ in range(AUC_DRAWS):
        rows = np.concatenate([members[k] for k in rng.integers(0, total, total)])
        drawn.append(roc_auc(true[rows], first[rows]) - roc_auc(true[rows], second[rows]))
        swap = (rng.random(total) < 0.5)[cluster]
        one, two = np.where(swap, second, first), np.where(swap, first, second)
        exchanged.append(roc_auc(true, one) - roc_auc(true, two))
    if total < 2 or not np.isfinite(observed):
        return Difference(observed, np.nan, np.nan, np.nan, total)
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    extreme = int(np.sum(np.abs(exchanged) >= abs(observed) * (1.0 - 1e-12)))
    return Difference(observed, float(low), float(high), (extreme + 1) / (AUC_DRAWS + 1), total)


def validation_to_train_ratios(predictions: pd.DataFrame) -> dict[str, float]:
    """Test rows over training rows of a split, by protocol, as `corrected_t_test` takes it.

    Args:
        predictions: ``tables.PREDICTIONS``.
    """
    whole = predictions[(predictions["fold"] >= 0) & (predictions["inner"] < 0) & (predictions["seed"] == -1)]
    count = whole.groupby(["protocol", "split"]).size().unstack("split")
    if not {"train", "validation"} <= set(count.columns):
        return {}
    return {str(name): float(share) for name, share in (count["validation"] / count["train"]).items()}


def compare_pairs(
    predictions: pd.DataFrame,
    pairs: Sequence[Sequence[str]],
    material: pd.Series,
    levels: Mapping[str, pd.Series],
    seed: int = 0,
    classes: Collection[str] = (),
    ratios: Mapping[str, float] | None = None,
) -> Iterator[dict[str, object]]:
    """Compare pairs of models in every protocol that both ran in.

    Args:
        predictions: Validation rows of ensembles over seeds (``tables.PREDICTIONS``).
        pairs: (nested, single) names of models.
        material: Key of the material by row_id: its rows are one cluster.
        levels: By protocol that leaves out whole levels, the level by row_id, which is the cluster there: the
            rows of a level are predicted by members that did not train on it, all with similar errors.
        seed: Seed of bootstrap and permutations.
        classes: Targets that are classes.
        ratios: Validation rows over training rows, by protocol with one fold a repeat; see
            `validation_to_train_ratios`.

    Yields:
        Rows of `COMPARISONS` without scale and unit: for the mean absolute error, or of a class for the
        accuracy and for the area under the ROC curve.
    """
    keys = ["repeat", "fold", "row_id"]
    for (protocol, target), frame in predictions.groupby(["protocol", "target"], sort=False):
        score = (frame["true"] - frame["mean"]).abs()
        if target in classes:
            score = ((frame["mean"] >= DECISION_THRESHOLD) == (frame["true"] == 1)).astype(float)
        index = pd.MultiIndex.from_frame(frame[[*keys, "model"]])
        wide = score.set_axis(index).unstack("model")
        for nested, single in pairs:
            if not {nested, single} <= set(wide.columns):
                continue
            # A row counts once, with its mean over repeats: repeats are not new materials.
            scores = wide[[nested, single]].dropna()
            paired = scores[nested] - scores[single]
            rows = paired.groupby("row_id").mean()
            clusters = levels.get(str(protocol), material)
            difference = clustered_difference(rows.to_numpy(), clusters.loc[rows.index].to_numpy(), seed)
            folds = paired.groupby(["repeat", "fold"]).mean().to_numpy()
            in_repeat = len(folds) / paired.index.get_level_values("repeat").nunique()
            ratio = 1.0 / (in_repeat - 1.0) if in_repeat > 1 else (ratios or {}).get(str(protocol), np.nan)
            pair = {"protocol": protocol, "nested": nested, "single": single, "target": target}
            if target in classes and len(folds) == 1:
                is_right = (scores[name].to_numpy().astype(bool) for name in (nested, single))
                difference = replace(difference, p_value=mcnemar(*is_right))
            metric = "accuracy" if target in classes else "mae"
            yield pair | _record(metric, difference, corrected_t_test(folds, ratio))
            if target in classes:
                values = pd.DataFrame(frame.set_axis(index)[["true", "mean"]].unstack("model"))
                yield pair | _compare_areas(values.loc[scores.index], nested, single, clusters, ratio, seed)


def _record(metric: str, difference: Difference, p_folds: float) -> dict[str, object]:
    return {
        "metric": metric,
        "difference": difference.mean,
        "low": difference.low,
        "high": difference.high,
        "p_value": difference.p_value,
        "p_folds": p_folds,
        "clusters": difference.clusters,
    }


def _compare_areas(
    values: pd.DataFrame, nested: str, single: str, clusters: pd.Series, ratio: float, seed: int
) -> dict[str, object]:
    """The comparison of the areas under the ROC curves, over splits, or within the only one."""

    def arrays(part: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        columns = (("true", nested), ("mean", nested), ("mean", single))
        return tuple(part[column].to_numpy() for column in columns)  # type: ignore[return-value]

    splits = [arrays(part) for _, part in values.groupby(["repeat", "fold"])]
    cluster = clusters.loc[values.index.get_level_values("row_id")].to_numpy()
    if len(splits) == 1:
        return _record("roc_auc", auc_difference(*splits[0], cluster, seed), np.nan)
    differences = np.array([roc_auc(true, first) - roc_auc(true, second) for true, first, second in splits])
    differences = differences[np.isfinite(differences)]
    p_folds, mean = corrected_t_test(differences, ratio), float(differences.mean())
    low, high = resampled_interval(differences, ratio)
    return _record("roc_auc", Difference(mean, low, high, p_folds, len(np.unique(cluster))), p_folds)
