"""Classifiers among the baselines: estimators of scikit-learn's interface that give probabilities.

Each takes a seed and options, and is unfitted, its scaler included. Defaults are for some hundreds of rows
with tens to hundreds of columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import minimize
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF, ConstantKernel
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier

FEWEST = 5
"""Training rows of each class that a classifier needs: some are calibrated or tuned on five folds of them."""

_FOREST = {"n_estimators": 300, "max_features": "sqrt", "min_samples_leaf": 1}
_STEPS = 15


def _folds(seed: int) -> StratifiedKFold:
    return StratifiedKFold(FEWEST, shuffle=True, random_state=seed)


def _logistic(seed: int, **options: Any) -> Pipeline:
    regression, grid = LogisticRegression(**{"max_iter": 2000, **options}), {"C": np.logspace(-3, 2, 6)}
    if "C" in options:
        return make_pipeline(StandardScaler(), regression)
    search = GridSearchCV(regression, grid, cv=_folds(seed), scoring="neg_log_loss")
    return make_pipeline(StandardScaler(), search)


def _svm(seed: int, **options: Any) -> Pipeline:
    machine = SVC(**{"C": 10.0, "gamma": "scale", **options})
    # Platt's sigmoid on decision values held out inside the training rows; the machine is fitted on all.
    calibrated = CalibratedClassifierCV(machine, method="sigmoid", cv=_folds(seed), ensemble=False)
    return make_pipeline(StandardScaler(), calibrated)


def _random_forest(seed: int, **options: Any) -> Pipeline:
    return make_pipeline(RandomForestClassifier(**{**_FOREST, "random_state": seed, **options}))


def _extra_trees(seed: int, **options: Any) -> Pipeline:
    return make_pipeline(ExtraTreesClassifier(**{**_FOREST, "random_state": seed, **options}))


def _xgboost(seed: int, **options: Any) -> Pipeline:
    chosen = {
        "n_estimators": 300,
        "max_depth": 4,
        "learning_rate": 0.05,
        "subsample": 0.8,
        "colsample_bytree": 0.5,
        "n_jobs": 1,
        "random_state": seed,
        **options,
    }
    return make_pipeline(XGBClassifier(**chosen))


def _hist_gradient_boosting(seed: int, **options: Any) -> Pipeline:
    chosen = {"max_iter": 150, "learning_rate": 0.05, "random_state": seed, **options}
    return make_pipeline(HistGradientBoostingClassifier(**chosen))


def _climb(objective: Callable, theta: np.ndarray, bounds: np.ndarray) -> tuple[np.ndarray, float]:
    """A few steps uphill: each takes seconds for a thousand rows, and the last ones change no prediction."""
    found = minimize(objective, theta, method="L-BFGS-B", jac=True, bounds=bounds, options={"maxfun": _STEPS})
    return found.x, float(found.fun)


def _gaussian_process(seed: int, **options: Any) -> Pipeline:
    """Laplace's approximation (Rasmussen & Williams 2006, section 3.4) with one length scale."""
    kernel = ConstantKernel(10.0) * RBF(10.0, (0.1, 1e3))
    chosen = {"kernel": kernel, "optimizer": _climb, "random_state": seed, **options}
    return make_pipeline(StandardScaler(), GaussianProcessClassifier(**chosen))


def _mlp(seed: int, **options: Any) -> Pipeline:
    """Mean of five networks of different first weights."""
    # A loss that never improves by so much ends the training after a fixed number of epochs.
    epochs = {"max_iter": 500, "n_iter_no_change": 60, "tol": 1e9}
    chosen = {"hidden_layer_sizes": (100, 100), "alpha": 1.0, **epochs, **options}
    network = MLPClassifier(**chosen)
    bag = BaggingClassifier(network, n_estimators=5, bootstrap=False, random_state=seed)
    return make_pipeline(StandardScaler(), bag)


def _stump(seed: int, **options: Any) -> Pipeline:
    """One threshold on one input, the best of the training rows: the rule that others have to beat."""
    return make_pipeline(DecisionTreeClassifier(**{"max_depth": 1, "random_state": seed, **options}))


def _mean(seed: int, **options: Any) -> Pipeline:
    return make_pipeline(DummyClassifier(**{"strategy": "prior", **options}))


CLASSIFY: dict[str, Callable[..., Pipeline]] = {
    "logistic": _logistic,
    "svm": _svm,
    "random_forest": _random_forest,
    "extra_trees": _extra_trees,
    "xgboost": _xgboost,
    "hist_gradient_boosting": _hist_gradient_boosting,
    "gaussian_process": _gaussian_process,
    "mlp": _mlp,
    "stump": _stump,
    "mean": _mean,
}
"""By kind of baseline: (seed, **options) -> an unfitted classifier."""
