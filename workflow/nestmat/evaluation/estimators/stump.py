"""A single threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from nestmat.evaluation.estimators.base import BaselineKind
from nestmat.evaluation.estimators.registry import BASELINES


@BASELINES.register("stump")
@dataclass(frozen=True)
class Stump(BaselineKind):
    """One threshold on one input, the best of the training rows: the rule that classifiers have to beat.

    Attributes:
        max_depth: Thresholds above a leaf.
    """

    is_reference: ClassVar[bool] = True
    stored_types: ClassVar[tuple[str, ...]] = ("sklearn.tree._tree.Tree",)

    max_depth: int = 1

    def classifier(self, seed: int) -> Any:  # noqa: D102
        from sklearn.pipeline import make_pipeline
        from sklearn.tree import DecisionTreeClassifier

        return make_pipeline(DecisionTreeClassifier(max_depth=self.max_depth, random_state=seed))
