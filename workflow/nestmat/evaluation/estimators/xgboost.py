"""Gradient-boosted trees of XGBoost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from nestmat.evaluation.estimators.base import BaselineKind
from nestmat.evaluation.estimators.registry import BASELINES
from nestmat.evaluation.estimators.tuning import SEARCH_TYPES, tune_regressor

# Few shallow trees for noisy targets, many deeper ones for exact targets.
_GRID: list[dict[str, list[Any]]] = [
    {"estimator__max_depth": [depth], "estimator__n_estimators": [trees]}
    for depth, trees in ((3, 75), (4, 300))
]
_CLASSIFICATION = {
    "n_estimators": 300,
    "max_depth": 4,
    "learning_rate": 0.05,
    "subsample": 0.8,
    "colsample_bytree": 0.5,
    "n_jobs": 1,
}
_POSITIVE_OBJECTIVES = ("count:poisson", "reg:gamma", "reg:squaredlogerror", "reg:tweedie")


@BASELINES.register("xgboost")
@dataclass(frozen=True)
class XGBoost(BaselineKind):
    """Gradient-boosted trees (XGBoost); of numbers the mean of three seeds.

    Of numbers, depth and number of trees are chosen on three folds of the training rows where they are not
    stated, as is an option that is a list: either 75 trees of depth 3 or 300 of depth 4.

    Attributes:
        n_estimators: Number of trees; of classes 300.
        max_depth: Depth of a tree; of classes 4.
        learning_rate: Share of each tree that is added; 0.1 of numbers, 0.05 of classes.
        subsample: Share of the rows that a tree sees; 0.8.
        colsample_bytree: Share of the inputs that a tree sees; 0.8 of numbers, 0.5 of classes.
        colsample_bynode: Share of those that a split chooses among; 1.
        min_child_weight: Least sum of the second derivatives of the loss in a leaf; 1.
        reg_lambda: Quadratic penalty of the values of leaves; 1.
        objective: Loss by XGBoost's name; by default the squared error of numbers, the log loss of classes.
    """

    stored_types: ClassVar[tuple[str, ...]] = (
        *SEARCH_TYPES,
        "nestmat.evaluation.estimators.seed_means.SeedMeanRegressor",
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBClassifier",
        "xgboost.sklearn.XGBRegressor",
    )

    n_estimators: int | list[int] | None = None
    max_depth: int | list[int] | None = None
    learning_rate: float | list[float] | None = None
    subsample: float | list[float] | None = None
    colsample_bytree: float | list[float] | None = None
    colsample_bynode: float | list[float] | None = None
    min_child_weight: float | list[float] | None = None
    reg_lambda: float | list[float] | None = None
    objective: str | None = None

    def regressor(self, seed: int) -> Any:
        """Mean of boosted trees of three seeds, which takes the luck of the subsamples out of it."""
        from sklearn.pipeline import make_pipeline
        from xgboost import XGBRegressor

        from nestmat.evaluation.estimators.seed_means import SeedMeanRegressor

        boosted = XGBRegressor(learning_rate=0.1, subsample=0.8, colsample_bytree=0.8, n_jobs=1)
        mean = SeedMeanRegressor(boosted, n_estimators=3, random_state=seed)
        options = {f"estimator__{name}": value for name, value in self.stated_options().items()}
        return make_pipeline(tune_regressor(mean, _GRID, options, 3, seed))

    def target_scaler(self) -> Any:
        """Without a shift for losses that are defined for positive numbers alone."""
        from sklearn.preprocessing import StandardScaler

        return StandardScaler(with_mean=self.objective not in _POSITIVE_OBJECTIVES)

    def regressor_from(self, fitted: Any, seed: int) -> Any:
        """With the parameters that were chosen on all training rows."""
        chosen = getattr(fitted[-1], "best_params_", {})
        options = {name.removeprefix("estimator__"): value for name, value in chosen.items()}
        return replace(self, **options).regressor(seed)

    def classifier(self, seed: int) -> Any:  # noqa: D102
        from sklearn.pipeline import make_pipeline
        from xgboost import XGBClassifier

        options = {**_CLASSIFICATION, "random_state": seed, **self.stated_options()}
        return make_pipeline(XGBClassifier(**options))
