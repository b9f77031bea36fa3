"""Multi-layer perceptrons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from nestmat.evaluation.estimators.base import BaselineKind
from nestmat.evaluation.estimators.registry import BASELINES


@BASELINES.register("mlp")
@dataclass(frozen=True)
class MultiLayerPerceptron(BaselineKind):
    """Mean of five multi-layer perceptrons of different first weights.

    Attributes:
        hidden_layer_sizes: Units of each hidden layer.
        alpha: Strength of the quadratic penalty of the weights.
    """

    stored_types: ClassVar[tuple[str, ...]] = (
        "nestmat.evaluation.estimators.seed_means.SeedMeanClassifier",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    )

    hidden_layer_sizes: tuple[int, ...] = (100, 100)
    alpha: float = 1.0

    def classifier(self, seed: int) -> Any:  # noqa: D102
        from sklearn.neural_network import MLPClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        from nestmat.evaluation.estimators.seed_means import SeedMeanClassifier

        # A loss that never improves by so much ends the training after a fixed number of epochs.
        network = MLPClassifier(max_iter=500, n_iter_no_change=60, tol=1e9, **self.stated_options())
        mean = SeedMeanClassifier(network, n_estimators=5, random_state=seed)
        return make_pipeline(StandardScaler(), mean)
