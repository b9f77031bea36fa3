"""Logistic regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nestmat.evaluation.estimators.base import BaselineKind
from nestmat.evaluation.estimators.registry import BASELINES
from nestmat.evaluation.estimators.tuning import class_folds


@BASELINES.register("logistic")
@dataclass(frozen=True)
class Logistic(BaselineKind):
    """Logistic regression.

    Attributes:
        C: Inverse strength of the quadratic penalty; by default chosen of 0.001 to 100 on five folds of the
            training rows.
        max_iter: Most iterations of the solver.
    """

    stored_types: ClassVar[tuple[str, ...]] = (
        "sklearn.metrics._classification.log_loss",
        "sklearn.metrics._scorer._Scorer",
        "sklearn.model_selection._split.StratifiedKFold",
    )

    C: float | None = None
    max_iter: int = 2000

    def classifier(self, seed: int) -> Any:  # noqa: D102
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import GridSearchCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        regression = LogisticRegression(**self.stated_options())
        if self.C is not None:
            return make_pipeline(StandardScaler(), regression)
        penalties = {"C": np.logspace(-3, 2, 6)}
        search = GridSearchCV(regression, penalties, cv=class_folds(seed), scoring="neg_log_loss")
        return make_pipeline(StandardScaler(), search)
