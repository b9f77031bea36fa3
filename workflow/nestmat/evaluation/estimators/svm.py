"""Support-vector classification."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from nestmat.evaluation.estimators.base import BaselineKind
from nestmat.evaluation.estimators.registry import BASELINES
from nestmat.evaluation.estimators.tuning import class_folds


@BASELINES.register("svm")
@dataclass(frozen=True)
class SupportVectors(BaselineKind):
    """Support-vector machine with a radial kernel and probabilities by Platt's sigmoid.

    Attributes:
        C: Weight of errors against the width of the margin.
        gamma: Inverse squared width of the kernel on standardised inputs, or scikit-learn's rule for it.
    """

    stored_types: ClassVar[tuple[str, ...]] = (
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.model_selection._split.StratifiedKFold",
    )

    C: float = 10.0
    gamma: float | Literal["scale", "auto"] = "scale"

    def classifier(self, seed: int) -> Any:  # noqa: D102
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        machine = SVC(C=self.C, gamma=self.gamma)
        # The sigmoid is fitted to decision values held out inside the training rows; the machine to all.
        calibrated = CalibratedClassifierCV(machine, method="sigmoid", cv=class_folds(seed), ensemble=False)
        return make_pipeline(StandardScaler(), calibrated)
