"""Gaussian processes: exact for numbers, by Laplace's approximation for a class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from nestmat.evaluation.estimators.base import BaselineKind, Numbers
from nestmat.evaluation.estimators.registry import BASELINES
from nestmat.training.weighting import Weighting

_EVALUATIONS = 15


def _maximise(objective: Callable, theta: Numbers, bounds: Numbers) -> tuple[Numbers, float]:
    """A few steps uphill: each takes seconds for a thousand rows, and the last ones change no prediction."""
    from scipy.optimize import minimize

    optimum = minimize(
        objective, theta, method="L-BFGS-B", jac=True, bounds=bounds, options={"maxfun": _EVALUATIONS}
    )
    return optimum.x, float(optimum.fun)


MANY_ROWS = 8000
"""Rows from which memory that grows with their square is stated: 0.5 GB a matrix."""
MATRICES = 4
"""Square matrices that the fit of a kernel holds at once, counted in `MaternProcess`: the kernel, its slope,
the inverse of the covariance, and their product."""


@BASELINES.register("gaussian_process")
@dataclass(frozen=True)
class GaussianProcess(BaselineKind):
    """Gaussian process: of numbers with a Matern kernel and one length scale an input; of classes with one.

    Of a class it is Laplace's approximation (Rasmussen & Williams 2006, section 3.4) with a squared
    exponential kernel.

    Attributes:
        nu: Numbers: smoothness of the kernel, 0.5, 1.5, 2.5 or infinity.
        prior_spread: Numbers: spread of log(length scale / sqrt(inputs)) in a log-normal prior; no prior by
            default.
        max_iter: Numbers: most iterations that the parameters of the kernel are fitted in.
        kernel_rows: Numbers: most training rows, drawn at random, that the parameters of the kernel are
            fitted to; all by default. The time of each iteration grows with their third power.
        rows: Numbers: most training rows, drawn at random, that the process is conditioned on; all by
            default. Memory grows with their square.
        optimizer: Classes: how the parameters of the kernel are fitted; null keeps their first values.
    """

    stored_types: ClassVar[tuple[str, ...]] = (
        "nestmat.evaluation.estimators.matern_process.MaternProcess",
        "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
        "sklearn.gaussian_process.kernels.ConstantKernel",
        "sklearn.gaussian_process.kernels.Product",
        "sklearn.gaussian_process.kernels.RBF",
    )

    nu: float = 2.5
    prior_spread: float | None = None
    max_iter: int = 100
    kernel_rows: int | None = field(default=None, metadata={"ge": 20})
    rows: int | None = field(default=None, metadata={"ge": 20})
    optimizer: Literal["l-bfgs-b"] | None = "l-bfgs-b"

    def regressor(self, seed: int) -> Any:  # noqa: D102
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        from nestmat.evaluation.estimators.matern_process import MaternProcess

        prior_spread = np.inf if self.prior_spread is None else self.prior_spread
        process = MaternProcess(
            self.nu, prior_spread, self.max_iter, self.kernel_rows, self.rows, random_state=seed
        )
        return make_pipeline(StandardScaler(), process)

    def notes_on_rows(self, rows: int) -> list[str]:
        """How many rows its options draw of them, or the memory that it takes where none bounds it."""
        most = min(self.rows or rows, rows)
        notes = []
        if most < rows:
            notes.append(f"learns from {most} of {rows} rows at most, drawn at random (`rows`)")
        elif rows > MANY_ROWS:
            matrices = MATRICES if self.kernel_rows is None else 1
            gigabytes = 8e-9 * rows**2 * matrices
            notes.append(
                f"takes some {gigabytes:.1f} GB or more where it learns from all {rows} rows: "
                f"bound it by `rows: {MANY_ROWS}`"
            )
        if self.kernel_rows is not None and self.kernel_rows < most:
            notes.append(f"fits its kernel to {self.kernel_rows} of {rows} rows (`kernel_rows`)")
        return notes

    def fit_parameters(self, estimator: Any, weighting: Weighting) -> dict[str, Any]:
        """Noise of each row: known uncertainties add to it, weights divide it."""
        step = estimator.steps[-1][0]
        own = {"sample_weight": Weighting(weighting.weights).shares, "uncertainty": weighting.uncertainty}
        return {f"{step}__{name}": values for name, values in own.items() if values is not None}

    def standard_deviation(self, fitted: Any, x: Numbers) -> Numbers:
        """That of a measurement, noise included."""
        return self.mean_and_deviation(fitted, x)[1]

    def mean_and_deviation(self, fitted: Any, x: Numbers) -> tuple[Numbers, Numbers]:
        """Both from one matrix of covariances."""
        return fitted.predict(x, return_std=True)

    def classifier(self, seed: int) -> Any:  # noqa: D102
        from sklearn.gaussian_process import GaussianProcessClassifier
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        process = GaussianProcessClassifier(
            kernel=ConstantKernel(10.0) * RBF(10.0, (0.1, 1e3)),
            optimizer=self.optimizer and _maximise,
            random_state=seed,
        )
        return make_pipeline(StandardScaler(), process)
