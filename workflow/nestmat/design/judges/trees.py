"""Extremely randomised trees as a judge."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from nestmat.design.judges.learned import LearnedJudge, Numbers, Predict
from nestmat.design.judges.registry import JUDGES


@JUDGES.register("trees")
@dataclass(frozen=True)
class Trees(LearnedJudge):
    """Extremely randomised trees for every target of the chain; their spread is the standard deviation.

    Attributes:
        trees: Number of trees.
    """

    title: ClassVar[str] = "trees"

    trees: int = field(default=300, metadata={"ge": 10})

    def fit_target(self, x: Numbers, y: Numbers, floor: float | None) -> Predict:
        """The trees of one target, which take no notice of a floor."""
        from sklearn.compose import TransformedTargetRegressor
        from sklearn.ensemble import ExtraTreesRegressor
        from sklearn.preprocessing import StandardScaler

        # Trees do not split targets of a variance near the rounding error of 1, whatever their unit.
        forest = ExtraTreesRegressor(self.trees, random_state=0)
        model = TransformedTargetRegressor(forest, transformer=StandardScaler()).fit(x, y)
        scale = model.transformer_.scale_[0]

        def predict(features: Numbers) -> tuple[Numbers, Numbers]:
            rows = features.astype(np.float32)
            by_tree = np.stack([tree.predict(rows) for tree in model.regressor_.estimators_])
            return model.predict(features), by_tree.std(axis=0) * scale

        return predict
