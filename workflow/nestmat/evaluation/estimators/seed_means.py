"""Means of estimators that differ in their seed alone, with weights of rows.

The bags of scikit-learn draw rows by their weights, and so leave the weights without effect where every
estimator is given all rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.utils import check_random_state

_SEEDS = np.iinfo(np.int32).max


class _SeedMean(BaseEstimator):
    """Fits copies of an estimator with different seeds.

    Args:
        estimator: Unfitted estimator with a ``random_state``.
        n_estimators: Number of copies.
        random_state: Seed that theirs are drawn from.
    """

    def __init__(self, estimator: Any = None, n_estimators: int = 3, random_state: int = 0):
        self.estimator, self.n_estimators, self.random_state = estimator, n_estimators, random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> _SeedMean:
        """Fit the copies to inputs (n, d) and targets (n,), with weights (n,) of the rows."""
        first_seeds = check_random_state(self.random_state).randint(_SEEDS, size=self.n_estimators)
        seeds = [check_random_state(seed).randint(_SEEDS) for seed in first_seeds]
        self.estimators_ = [
            clone(self.estimator).set_params(random_state=seed).fit(X, y, sample_weight=sample_weight)
            for seed in seeds
        ]
        return self


class SeedMeanRegressor(RegressorMixin, _SeedMean):
    """Mean of what regressors of different seeds predict."""

    def predict(self, X: Any) -> Any:
        """Mean of the predictions, (n,)."""
        return sum(estimator.predict(X) for estimator in self.estimators_) / self.n_estimators


class SeedMeanClassifier(ClassifierMixin, _SeedMean):
    """Mean of the probabilities of classifiers of different seeds."""

    @property
    def classes_(self) -> np.ndarray:
        """The classes, in the order of the probabilities."""
        return self.estimators_[0].classes_

    def predict_proba(self, X: Any) -> Any:
        """Mean of the probabilities, (n, classes)."""
        return sum(estimator.predict_proba(X) for estimator in self.estimators_) / self.n_estimators

    def predict(self, X: Any) -> Any:
        """The class of the highest probability, (n,)."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
