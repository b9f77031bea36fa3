"""Measures of classes against scikit-learn and their definitions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from nestmat.evaluation.classification import (
    CERTAIN,
    class_metrics,
    classes_side_by_side,
    confusion_counts,
    reliability_curve,
    roc_curve,
    several_class_metrics,
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


def test_measures_of_several_classes_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(4), 200)
    true = np.array([rng.choice(4, p=p) for p in probabilities])
    measured = several_class_metrics(true, probabilities)
    decided = probabilities.argmax(axis=1)
    assert measured["accuracy"] == pytest.approx(peer.accuracy_score(true, decided))
    assert measured["balanced_accuracy"] == pytest.approx(peer.balanced_accuracy_score(true, decided))
    assert measured["f1"] == pytest.approx(peer.f1_score(true, decided, average="macro"))
    area = peer.roc_auc_score(true, probabilities, multi_class="ovr", average="macro")
    assert measured["roc_auc"] == pytest.approx(area)
    assert measured["log_loss"] == pytest.approx(
        peer.log_loss(
            true, np.clip(probabilities, 1e-3, 1) / np.clip(probabilities, 1e-3, 1).sum(axis=1, keepdims=True)
        ),
        rel=0.01,
    )
    one_hot = np.eye(4)[true]
    assert measured["brier"] == pytest.approx(np.square(probabilities - one_hot).sum(axis=1).mean())
    np.testing.assert_array_equal(
        confusion_counts(true, probabilities), peer.confusion_matrix(true, decided, labels=range(4))
    )


def test_classes_come_side_by_side():
    frame = pd.DataFrame(
        {
            "model": "m",
            "row_id": [7, 7, 7, 8, 8, 8],
            "target": ["g: a", "g: b", "g: c"] * 2,
            "true": [0.0, 0.0, 1.0, 1.0, 0.0, 0.0],
            "mean": [0.2, 0.3, 0.5, 0.6, 0.3, 0.1],
            "std": np.nan,
        }
    ).sample(frac=1, random_state=1)
    joined = classes_side_by_side(frame, ["g: a", "g: b", "g: c"])
    assert joined["row_id"].tolist() == [7, 8]
    assert joined["true"].tolist() == [2, 0]
    np.testing.assert_allclose(joined[[0, 1, 2]].to_numpy(), [[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])
