"""Lasso regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from nestmat.evaluation.estimators.base import BaselineKind
from nestmat.evaluation.estimators.registry import BASELINES


@BASELINES.register("lasso")
@dataclass(frozen=True)
class Lasso(BaselineKind):
    """Lasso regression; its penalty is chosen on five folds of the training rows.

    Attributes:
        alphas: Number of penalties to choose from, or the penalties.
        max_iter: Most iterations of coordinate descent.
    """

    stored_types: ClassVar[tuple[str, ...]] = ("sklearn.model_selection._split.KFold",)

    alphas: int | list[float] = 30
    max_iter: int = 20000

    def regressor(self, seed: int) -> Any:  # noqa: D102
        from sklearn.linear_model import LassoCV
        from sklearn.model_selection import KFold
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        folds = KFold(5, shuffle=True, random_state=seed)
        return make_pipeline(StandardScaler(), LassoCV(cv=folds, **self.stated_options()))
