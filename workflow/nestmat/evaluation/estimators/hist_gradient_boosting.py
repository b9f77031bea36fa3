"""Gradient-boosted trees of scikit-learn on binned inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from nestmat.evaluation.estimators.base import BaselineKind
from nestmat.evaluation.estimators.registry import BASELINES


@BASELINES.register("hist_gradient_boosting")
@dataclass(frozen=True)
class HistogramGradientBoosting(BaselineKind):
    """Gradient-boosted trees on binned inputs (scikit-learn).

    Attributes:
        max_iter: Number of trees.
        learning_rate: Share of each tree that is added.
        max_leaf_nodes: Most leaves of a tree.
        min_samples_leaf: Fewest rows of a leaf.
        l2_regularization: Quadratic penalty of the values of leaves.
    """

    stored_types: ClassVar[tuple[str, ...]] = (
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    )

    max_iter: int = 150
    learning_rate: float = 0.05
    max_leaf_nodes: int = 31
    min_samples_leaf: int = 20
    l2_regularization: float = 0.0

    def classifier(self, seed: int) -> Any:  # noqa: D102
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.pipeline import make_pipeline

        return make_pipeline(HistGradientBoostingClassifier(random_state=seed, **self.stated_options()))
