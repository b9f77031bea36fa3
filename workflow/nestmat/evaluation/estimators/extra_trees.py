"""Extremely randomised trees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nestmat.evaluation.estimators.forests import Forest
from nestmat.evaluation.estimators.registry import BASELINES


@BASELINES.register("extra_trees")
@dataclass(frozen=True)
class ExtraTrees(Forest):
    """Extremely randomised trees (Geurts, Ernst & Wehenkel, Machine Learning 63, 3 (2006))."""

    def regressor(self, seed: int) -> Any:  # noqa: D102
        from sklearn.ensemble import ExtraTreesRegressor
        from sklearn.pipeline import make_pipeline

        return make_pipeline(ExtraTreesRegressor(**self.regression_options(seed)))

    def classifier(self, seed: int) -> Any:  # noqa: D102
        from sklearn.ensemble import ExtraTreesClassifier
        from sklearn.pipeline import make_pipeline

        return make_pipeline(ExtraTreesClassifier(**self.classification_options(seed)))
