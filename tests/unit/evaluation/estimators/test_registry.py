from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from nestmat.evaluation.estimators.extra_trees import ExtraTrees
from nestmat.evaluation.estimators.registry import BASELINES


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_every_kind_of_numbers_fits_and_predicts(name):
    kind = BASELINES[name]()
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    if not kind.predicts_numbers():
        with pytest.raises(NotImplementedError):
            kind.fit(x, y, seed=0)
        return
    mean, std = kind.predict(kind.fit(x, y, seed=0), x + 0.1)
    assert np.isfinite(mean).all()
    assert (std > 0).all() if kind.has_standard_deviation() else np.isnan(std).all()


@pytest.mark.parametrize("name", ["nusvr", "xgboost", "gaussian_process"])
def test_a_fit_from_another_keeps_its_parameters(name):
    kind = BASELINES[name]()
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 2))
    y = np.sin(x[:, 0]) + 0.1 * rng.normal(size=60)
    model = kind.fit(x, y, seed=0)
    again = kind.fit(x[:50], y[:50], seed=0, start=model)
    if name == "gaussian_process":
        assert again[-1].n_iter_ < model[-1].n_iter_
    else:
        searched, kept = (m.regressor_[-1] if name == "nusvr" else m[-1] for m in (model, again))
        parameters = kept.get_params()
        assert searched.best_params_ == {key: parameters[key] for key in searched.best_params_}
        assert not hasattr(kept, "best_params_")


def test_the_spread_of_a_forest_is_that_of_the_labels_in_its_leaves():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 2)), rng.normal(size=50)
    kind = ExtraTrees(n_estimators=7, min_samples_leaf=5)
    model = kind.fit(x, y, seed=0)
    forest = model[-1]
    leaves, new = forest.apply(x), forest.apply(x[:3])
    labels = [[y[leaves[:, tree] == new[row, tree]] for tree in range(7)] for row in range(3)]
    expected = [np.var([v.mean() for v in row]) + np.mean([v.var() for v in row]) for row in labels]
    np.testing.assert_allclose(kind.predict(model, x[:3])[1] ** 2, expected)


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_every_classifier_gives_probabilities_and_repeats_them(name):
    kind = BASELINES[name]()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 3))
    y = (x[:, 0] + rng.normal(0, 0.3, 80) > 0).astype(float)
    if not kind.predicts_classes():
        assert name in ("lasso", "nusvr", "ridge")
        return
    (one, std), (two, _) = (kind.predict(kind.fit(x, y, 3, classes=True), x, classes=True) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert ((one >= 0) & (one <= 1)).all()
    assert np.isnan(std).all()
    assert roc_auc_score(y, one) > 0.9 or name == "mean"
    if name == "mean":
        np.testing.assert_allclose(one, y.mean())
