"""Support-vector regression."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from nestmat.evaluation.estimators.base import BaselineKind
from nestmat.evaluation.estimators.registry import BASELINES
from nestmat.evaluation.estimators.tuning import SEARCH_TYPES, tune_regressor

# Of large C and gamma together, fits take seconds and predict no better.
_GRID: list[dict[str, list[Any]]] = [
    {"C": [3.0, 10.0, 30.0], "gamma": [0.01, 0.03]},
    {"C": [100.0], "gamma": [0.01]},
]


@BASELINES.register("nusvr")
@dataclass(frozen=True)
class NuSupportVectors(BaselineKind):
    """Support-vector regression with a radial kernel (nu-SVR), of a standardised target.

    What is not stated is chosen on five folds of the training rows, as is an option that is a list.

    Attributes:
        C: Weight of errors against flatness, on the standardised target.
        gamma: Inverse squared width of the kernel, on standardised inputs.
        nu: Lower bound of the share of training rows that are support vectors.
    """

    stored_types: ClassVar[tuple[str, ...]] = SEARCH_TYPES

    C: float | list[float] | None = None
    gamma: float | list[float] | None = None
    nu: float | list[float] | None = None

    def regressor(self, seed: int) -> Any:  # noqa: D102
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import NuSVR

        # The penalty C has the unit of the target: on standardised targets one grid serves all.
        tuned = tune_regressor(NuSVR(nu=0.5), _GRID, self.stated_options(), 5, seed)
        return make_pipeline(StandardScaler(), tuned)

    def regressor_from(self, fitted: Any, seed: int) -> Any:
        """With the parameters that were chosen on all training rows."""
        return replace(self, **getattr(fitted[-1], "best_params_", {})).regressor(seed)
