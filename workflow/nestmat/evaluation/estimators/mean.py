"""Mean of the training rows, the least that a model has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nestmat.evaluation.estimators.base import BaselineKind
from nestmat.evaluation.estimators.registry import BASELINES


@BASELINES.register("mean")
@dataclass(frozen=True)
class Mean(BaselineKind):
    """Mean of the training rows; of a class its share among them."""

    def regressor(self, seed: int) -> Any:  # noqa: D102
        from sklearn.dummy import DummyRegressor
        from sklearn.pipeline import make_pipeline

        return make_pipeline(DummyRegressor())

    def classifier(self, seed: int) -> Any:  # noqa: D102
        from sklearn.dummy import DummyClassifier
        from sklearn.pipeline import make_pipeline

        return make_pipeline(DummyClassifier(strategy="prior"))
