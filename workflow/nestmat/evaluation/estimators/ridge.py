"""Ridge regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nestmat.evaluation.estimators.base import BaselineKind
from nestmat.evaluation.estimators.registry import BASELINES


@BASELINES.register("ridge")
@dataclass(frozen=True)
class Ridge(BaselineKind):
    """Ridge regression; its penalty is chosen by leave-one-out errors of the training rows.

    Attributes:
        alphas: Penalties to choose from; 17 from 1e-4 to 1e4 by default.
    """

    alphas: list[float] | None = None

    def regressor(self, seed: int) -> Any:  # noqa: D102
        from sklearn.linear_model import RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        options = {"alphas": np.logspace(-4, 4, 17), **self.stated_options()}
        return make_pipeline(StandardScaler(), RidgeCV(**options))
