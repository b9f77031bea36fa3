"""Measures of classes against scikit-learn and their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from nestmat.evaluation.classification import (
    CERTAIN,
    class_metrics,
    reliability_curve,
    roc_curve,
    standard_error,
)

ROWS = st.integers(2, 60)


def sample(n: int, seed: int, levels: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 2, n).astype(float)
    probability = rng.uniform(size=n)
    return true, np.round(probability * levels) / levels if levels else probability


@given(ROWS, st.integers(0, 1000), st.sampled_from([None, 1, 4]))
@settings(max_examples=150, deadline=None)
def test_measures_are_those_of_scikit_learn(n, seed, levels):
    true, probability = sample(n, seed, levels)
    found, decided = class_metrics(true, probability), probability >= 0.5
    assert found["accuracy"] == pytest.approx(peer.accuracy_score(true, decided))
    assert found["f1"] == pytest.approx(peer.f1_score(true, decided, zero_division=0))
    assert found["brier"] == pytest.approx(np.mean((probability - true) ** 2))
    bounded = np.clip(probability, CERTAIN, 1 - CERTAIN)
    assert found["log_loss"] == pytest.approx(peer.log_loss(true, bounded, labels=[0, 1]))
    recalls = [(decided[true == k] == k).mean() for k in np.unique(true)]
    assert found["balanced_accuracy"] == pytest.approx(np.mean(recalls))
    assert found["majority_rate"] == pytest.approx(max(true.mean(), 1 - true.mean()))
    if true.min() == true.max():
        assert np.isnan(found["roc_auc"])
    else:
        assert found["roc_auc"] == pytest.approx(peer.roc_auc_score(true, probability))
        grid = np.linspace(0, 1, 21)
        false, hit, _ = peer.roc_curve(true, probability, drop_intermediate=False)
        expected = np.interp(grid, false, hit)
        np.testing.assert_allclose(roc_curve(true, probability, grid)[1:], expected[1:])
        fine = np.linspace(0, 1, 20_001)
        area = np.trapezoid(roc_curve(true, probability, fine), fine)
        assert area == pytest.approx(found["roc_auc"], abs=2e-3)


def test_the_calibration_error_is_that_of_its_definition():
    true = np.array([0, 0, 1, 1, 1, 0, 1.0])
    probability = np.array([0.01, 0.05, 0.32, 0.38, 0.95, 0.99, 1.0])
    curve = reliability_curve(true, probability)
    assert curve["rows"].tolist() == [2, 2, 3]
    assert curve["frequency"].tolist() == pytest.approx([0, 1, 2 / 3])
    expected = (2 * 0.03 + 2 * 0.65 + 3 * abs(2.94 / 3 - 2 / 3)) / 7
    assert class_metrics(true, probability)["ece"] == pytest.approx(expected)
    rng = np.random.default_rng(0)
    honest = rng.uniform(size=20_000)
    assert class_metrics((rng.uniform(size=20_000) < honest) * 1.0, honest)["ece"] < 0.015


def test_the_standard_error_of_the_published_accuracy():
    assert standard_error(0.877, 138) == pytest.approx(0.028, abs=5e-4)
