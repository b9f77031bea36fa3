"""Forests of decision trees: what random forests and extra trees have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from nestmat.evaluation.estimators.base import BaselineKind, Numbers

REGRESSION = {"n_estimators": 200, "max_features": 0.7, "min_samples_split": 4}
CLASSIFICATION = {"n_estimators": 300, "max_features": "sqrt", "min_samples_leaf": 1}


@dataclass(frozen=True)
class Forest(BaselineKind):
    """A forest of decision trees.

    Attributes:
        n_estimators: Number of trees; 200 for numbers, 300 for classes.
        max_features: Inputs that a split chooses among, as their number or share, or by the rule ``sqrt`` or
            ``log2``; 0.7 for numbers, sqrt for classes.
        max_depth: Most splits above a leaf; unlimited by default.
        min_samples_split: Fewest rows that are split; 4 for numbers, 2 for classes.
        min_samples_leaf: Fewest rows of a leaf; 1 by default.
    """

    stored_types: ClassVar[tuple[str, ...]] = ("sklearn.tree._tree.Tree",)

    n_estimators: int | None = None
    max_features: int | float | Literal["sqrt", "log2"] | None = None
    max_depth: int | None = None
    min_samples_split: int | None = None
    min_samples_leaf: int | None = None

    def standard_deviation(self, fitted: Any, x: Numbers) -> Numbers:
        """By the law of total variance: between the trees, and among the labels of a row's leaf."""
        return self.mean_and_deviation(fitted, x)[1]

    def mean_and_deviation(self, fitted: Any, x: Numbers) -> tuple[Numbers, Numbers]:
        """Both from the leaves of the rows."""
        rows = x.astype(np.float32)
        trees = [tree.tree_ for tree in fitted[-1].estimators_]
        leaves = [tree.apply(rows) for tree in trees]
        means = [tree.value[leaf, 0, 0] for tree, leaf in zip(trees, leaves, strict=True)]
        within = [tree.impurity[leaf] for tree, leaf in zip(trees, leaves, strict=True)]
        # The variance in a leaf of like labels is a rounding error, of either sign.
        variance = np.var(means, axis=0) + np.maximum(np.mean(within, axis=0), 0.0)
        return np.mean(means, axis=0), np.sqrt(variance)

    def regression_options(self, seed: int) -> dict[str, Any]:
        """Arguments of a forest of numbers."""
        return {**REGRESSION, "random_state": seed, **self.stated_options()}

    def classification_options(self, seed: int) -> dict[str, Any]:
        """Arguments of a forest of classes."""
        return {**CLASSIFICATION, "random_state": seed, **self.stated_options()}
