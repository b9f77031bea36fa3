"""Extremely randomised trees as a judge."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor

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
        model = ExtraTreesRegressor(self.trees, random_state=0).fit(x, y)

        def predict(features: Numbers) -> tuple[Numbers, Numbers]:
            by_tree = np.stack([tree.predict(features.astype(np.float32)) for tree in model.estimators_])
            return by_tree.mean(axis=0), by_tree.std(axis=0)

        return predict
