from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student
from scipy.stats import ttest_1samp

from nestmat.evaluation.classification import (
    roc_auc,
)
from nestmat.evaluation.comparison import (
    auc_difference,
    clustered_difference,
    compare_pairs,
    corrected_t_test,
    mcnemar,
)
from nestmat.labels import comparisons as measures
from nestmat.report.sections.nesting import verdict
from support.small_scale import holdout_predictions


def test_interval_of_independent_rows_is_that_of_the_mean():
    rng = np.random.default_rng(0)
    values = 0.3 + rng.normal(size=400)
    found = clustered_difference(values, np.arange(400), seed=1)
    half = 1.96 * values.std() / 20
    assert found.mean == pytest.approx(values.mean())
    assert [found.low, found.high] == pytest.approx([values.mean() - half, values.mean() + half], abs=0.02)
    assert found.p_value < 0.001


def test_rows_of_one_material_do_not_count_as_independent():
    rng = np.random.default_rng(0)
    materials = np.repeat(np.arange(30), 20)
    values = rng.normal(size=30)[materials]
    wide = clustered_difference(values, materials, seed=1)
    narrow = clustered_difference(values, np.arange(600), seed=1)
    assert (wide.high - wide.low) > 3 * (narrow.high - narrow.low)
    assert wide.p_value > narrow.p_value
    one = clustered_difference(values, np.zeros(600), seed=1)
    assert np.isnan([one.low, one.high, one.p_value]).all()
    assert clustered_difference(np.zeros(600), materials, seed=1).p_value == 1.0


def test_corrected_t_test_is_the_plain_one_without_overlap():
    values = np.random.default_rng(0).normal(0.4, 1.0, size=10)
    assert corrected_t_test(values, 0.0) == pytest.approx(ttest_1samp(values, 0.0).pvalue)
    assert corrected_t_test(values, 1 / 9) > corrected_t_test(values, 0.0)
    assert corrected_t_test(np.zeros(5), 0.25) == 1.0
    assert np.isnan(corrected_t_test(values[:1], 0.1))


def sample(n: int, seed: int, levels: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 2, n).astype(float)
    probability = rng.uniform(size=n)
    return true, np.round(probability * levels) / levels if levels else probability


def compared(predictions: pd.DataFrame, pair=("good", "worse")) -> dict[str, dict]:
    held = predictions[predictions["split"] == "validation"]
    material = pd.Series([f"m{i // 2}" for i in range(150)])
    found = compare_pairs(held, [pair], material, {}, classes=["phase"], ratios={"half": 0.25})
    return {str(row["metric"]): row for row in found}


def test_a_better_classifier_is_told_as_better_in_words():
    found = compared(holdout_predictions())
    assert set(found) == {"accuracy", "roc_auc"}
    for row in found.values():
        assert row["difference"] > 0
        assert 0 < row["low"] < row["difference"] < row["high"]
        assert verdict(row) == "better"
    for row in compared(holdout_predictions(), ("worse", "good")).values():
        assert row["high"] < 0
        assert verdict(row) == "worse"
    error = {"metric": "mae", "low": -2.0, "high": -1.0, "p_value": 0.01, "p_folds": 0.01}
    assert verdict(error) == "better"


def test_areas_over_splits_are_compared_by_the_corrected_test():
    predictions = holdout_predictions()
    held = predictions[predictions["split"] == "validation"]
    areas = held.groupby(["repeat", "model"]).apply(
        lambda part: roc_auc(part["true"].to_numpy(), part["mean"].to_numpy()), include_groups=False
    )
    difference = (areas.unstack()["good"] - areas.unstack()["worse"]).to_numpy()
    row = compared(predictions)["roc_auc"]
    reach = student.ppf(0.975, 7) * difference.std(ddof=1) * np.sqrt(1 / 8 + 0.25)
    assert row["difference"] == pytest.approx(difference.mean())
    assert (row["low"], row["high"]) == pytest.approx((difference.mean() - reach, difference.mean() + reach))
    assert row["p_folds"] == pytest.approx(corrected_t_test(difference, 0.25))
    assert row["clusters"] == (held["row_id"] // 2).nunique()


def test_on_a_single_split_mcnemar_speaks():
    predictions = holdout_predictions(repeats=1)
    wide = predictions[predictions["split"] == "validation"].pivot(
        index="row_id", columns="model", values=["true", "mean"]
    )
    right = {
        name: ((wide["mean", name] >= 0.5) == (wide["true", name] == 1)).to_numpy()
        for name in ("good", "worse")
    }
    row = compared(predictions)["accuracy"]
    assert row["p_value"] == pytest.approx(mcnemar(right["good"], right["worse"]))
    assert np.isnan(row["p_folds"])
    assert np.isfinite(compared(predictions)["roc_auc"]["low"])


def test_mcnemar_counts_the_rows_that_one_has_right_alone():
    one = np.array([True] * 8 + [False] * 10 + [True] * 20)
    other = np.array([False] * 8 + [True] * 10 + [True] * 20)
    # The published comparison: 18 alloys on which two classifiers differ, 8 to 10.
    assert mcnemar(one, other) == pytest.approx(0.8145, abs=1e-4)
    assert mcnemar(one, one) == 1.0
    sure = np.ones(6, dtype=bool)
    assert mcnemar(sure, ~sure) == pytest.approx(2 * 0.5**6)


def test_equal_rankings_are_not_told_apart():
    true, probability = sample(60, 0)
    found = auc_difference(true, probability, np.sqrt(probability), np.arange(60), seed=0)
    assert found.mean == 0
    assert found.p_value == 1
    assert not measures.is_significant(
        {"low": found.low, "high": found.high, "p_value": 1.0, "p_folds": np.nan}
    )
