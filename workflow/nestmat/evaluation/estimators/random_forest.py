"""Random forest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nestmat.evaluation.estimators.forests import Forest
from nestmat.evaluation.estimators.registry import BASELINES


@BASELINES.register("random_forest")
@dataclass(frozen=True)
class RandomForest(Forest):
    """Random forest (Breiman, Machine Learning 45, 5 (2001))."""

    def regressor(self, seed: int) -> Any:  # noqa: D102
        from sklearn.ensemble import RandomForestRegressor
        from sklearn.pipeline import make_pipeline

        return make_pipeline(RandomForestRegressor(**self.regression_options(seed)))

    def classifier(self, seed: int) -> Any:  # noqa: D102
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.pipeline import make_pipeline

        return make_pipeline(RandomForestClassifier(**self.classification_options(seed)))
