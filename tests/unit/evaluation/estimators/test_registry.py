from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import r2_score, roc_auc_score

from nestmat.evaluation.estimators.extra_trees import ExtraTrees
from nestmat.evaluation.estimators.registry import BASELINES
from nestmat.evaluation.estimators.seed_means import SeedMeanClassifier, SeedMeanRegressor
from nestmat.evaluation.estimators.xgboost import XGBoost
from nestmat.training.weighting import ALIKE, Weighting


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


@pytest.mark.parametrize("name", sorted(name for name in BASELINES if BASELINES[name].predicts_numbers()))
def test_errors_do_not_depend_on_the_unit(name):
    kind = BASELINES[name]()
    rng = np.random.default_rng(2)
    x = rng.normal(size=(90, 4))
    y = 3.0 + np.sin(x[:, 0]) + 0.5 * x[:, 1] + 0.1 * rng.normal(size=90)
    scores, spreads = [], []
    for unit in (1.0, 1e-9):
        mean, std = kind.predict(kind.fit(x[:60], y[:60] * unit, seed=0), x[60:])
        scores.append(r2_score(y[60:], mean / unit))
        spreads.append(std.mean() / unit)
    assert scores[1] == pytest.approx(scores[0], abs=1e-3)
    assert scores[0] > 0.3 or name == "mean"
    # Rounding breaks ties between splits in another way.
    np.testing.assert_allclose(spreads[1], spreads[0], rtol=0.01)


def test_a_loss_of_positive_numbers_is_given_positive_numbers():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(80, 2))
    y = 1e-9 * np.exp(x[:, 0])
    kind = XGBoost(n_estimators=50, max_depth=3, objective="reg:gamma")
    mean, _ = kind.predict(kind.fit(x[:60], y[:60], seed=0), x[60:])
    assert (mean > 0).all()
    assert r2_score(np.log(y[60:]), np.log(mean)) > 0.7


@pytest.mark.parametrize("name", ["nusvr", "xgboost"])
def test_a_fit_from_another_keeps_its_parameters(name):
    kind = BASELINES[name]()
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 2))
    y = np.sin(x[:, 0]) + 0.1 * rng.normal(size=60)
    model = kind.fit(x[:50], y[:50], seed=0)
    again = kind.fit(x, y, seed=0, start=model)
    searched, kept = (m.regressor_[-1] for m in (model, again))
    parameters = kept.get_params()
    assert searched.best_params_ == {key: parameters[key] for key in searched.best_params_}
    assert not hasattr(kept, "best_params_")


def test_the_spread_of_a_forest_is_that_of_the_labels_in_its_leaves():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 2)), rng.normal(size=50)
    kind = ExtraTrees(n_estimators=7, min_samples_leaf=5)
    model = kind.fit(x, y, seed=0)
    forest = model.regressor_[-1]
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


@pytest.mark.parametrize("classes", [False, True])
@pytest.mark.parametrize("name", sorted(BASELINES))
def test_rows_of_little_weight_count_little(name, classes):
    kind = BASELINES[name]()
    if not kind.predicts(classes):
        return
    if not kind.weighs(classes):
        assert (name, classes) == ("gaussian_process", True)
        return
    rng = np.random.default_rng(4)
    x = np.repeat(rng.normal(size=(40, 1)), 2, axis=0)
    wrong = np.arange(80) % 2 == 1
    y = (x[:, 0] > -1) ^ wrong if classes else np.where(wrong, 5.0, 0.0) + x[:, 0]
    weights = np.where(wrong, 1e-3, 1.0)

    def predict(weighting):
        return kind.predict(kind.fit(x, y.astype(float), 0, classes, weighting=weighting), x, classes)[0]

    labels = x[:, 0] > -1 if classes else x[:, 0]
    weighted, alike = (np.abs(predict(w) - labels).mean() for w in (Weighting(weights), ALIKE))
    assert weighted < 0.75 * alike
    if not classes:
        uncertain = np.abs(predict(Weighting(uncertainty=np.where(wrong, 100.0, 0.01))) - labels).mean()
        assert uncertain < 0.75 * alike


@pytest.mark.parametrize("classes", [False, True])
def test_means_over_seeds_are_those_of_bags(classes):
    from sklearn.ensemble import (
        BaggingClassifier,
        BaggingRegressor,
        ExtraTreesClassifier,
        ExtraTreesRegressor,
    )

    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 2))
    y = (x[:, 0] > 0).astype(float) if classes else x[:, 0]
    trees, bag, mean = (
        (ExtraTreesClassifier, BaggingClassifier, SeedMeanClassifier)
        if classes
        else (ExtraTreesRegressor, BaggingRegressor, SeedMeanRegressor)
    )
    options = {"n_estimators": 3, "random_state": 7}
    peer = bag(trees(5), bootstrap=False, **options).fit(x, y)
    own = mean(trees(5), **options).fit(x, y)
    predict = "predict_proba" if classes else "predict"
    np.testing.assert_allclose(getattr(own, predict)(x), getattr(peer, predict)(x))
    np.testing.assert_array_equal(own.predict(x), peer.predict(x))
