"""Exact Gaussian process with a Matern kernel and one length scale an input.

Same model as scikit-learn's ``ConstantKernel * Matern + WhiteKernel``. The gradient of the marginal
likelihood takes one inverse and one matrix product for all length scales, instead of an (n, n, inputs)
tensor, which makes nested cross-validation affordable.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import cho_solve, solve_triangular
from scipy.linalg.lapack import dpotrf, dpotri
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

CHUNK = 2048
"""Rows that are predicted at once: the covariances with all training rows have to fit into memory."""


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distances (n, m) of the rows of ``a`` (n, inputs) and ``b`` (m, inputs)."""
    squared = (a**2).sum(1)[:, None] + (b**2).sum(1)[None, :] - 2.0 * (a @ b.T)
    return np.maximum(squared, 0.0, out=squared)


def matern(squared: np.ndarray, nu: float) -> tuple[np.ndarray, np.ndarray]:
    """Correlation of a Matern kernel and its slope, in the memory of ``squared``.

    Args:
        squared: Squared scaled distances r^2; overwritten.
        nu: 0.5, 1.5, 2.5 or infinity (squared exponential).

    Returns:
        k(r), and f(r) = -k'(r) / r, so that dk / d log(length_d) = f(r) * (x_d - x'_d)^2 / length_d^2. For
        nu = 0.5 f is singular at r = 0, where it multiplies zero; it is 0 there. Rasmussen and Williams
        (2006), equations 4.14 to 4.17.
    """
    if nu == np.inf:
        squared *= -0.5
        k = np.exp(squared, out=squared)
        return k, k
    squared *= 2.0 * nu
    r = np.sqrt(squared, out=squared)
    decay = np.exp(-r)
    if nu == 0.5:
        return decay, np.divide(decay, r, out=np.zeros_like(r), where=r > 0)
    if nu == 1.5:
        r += 1.0
        r *= decay
        decay *= 3.0
        return r, decay
    if nu == 2.5:
        k = r * r
        k /= 3.0
        r += 1.0
        k += r
        k *= decay
        r *= decay
        r *= 5.0 / 3.0
        return k, r
    raise ValueError(f"The smoothness nu of a Matern kernel is 0.5, 1.5, 2.5 or infinity, not {nu}.")


class MaternProcess(RegressorMixin, BaseEstimator):
    """Gaussian-process regression on standardised inputs.

    Hyper-parameters maximise the marginal likelihood of the training rows, times a log-normal prior on the
    length scales where a seed is given.

    Args:
        nu: Smoothness: 0.5, 1.5, 2.5 or infinity.
        prior_spread: Spread of log(length / sqrt(inputs)) in the prior; infinite for none.
        max_iter: Iterations of L-BFGS.
        kernel_rows: Most rows, drawn at random, that the hyper-parameters are fitted to; all by default.
        rows: Most rows, drawn at random, that the process is conditioned on; all by default.
        random_state: Seed of the rows that are drawn.
    """

    def __init__(
        self,
        nu: float = 2.5,
        prior_spread: float = np.inf,
        max_iter: int = 100,
        kernel_rows: int | None = None,
        rows: int | None = None,
        random_state: int = 0,
    ):
        self.nu, self.prior_spread, self.max_iter = nu, prior_spread, max_iter
        self.kernel_rows, self.rows, self.random_state = kernel_rows, rows, random_state

    def _objective(
        self, theta: np.ndarray, x: np.ndarray, y: np.ndarray, relative: np.ndarray, stated: np.ndarray
    ) -> tuple[float, np.ndarray]:
        """Negative log marginal likelihood (plus prior) and its gradient, for theta (inputs + 2,).

        The variance of the noise of a row is the fitted one times ``relative``, plus ``stated``, (n,) each.
        """
        n, inputs = x.shape
        variance, noise = np.exp(theta[0]), np.exp(theta[-1])
        scaled = x / np.exp(theta[1:-1])
        k, slope = matern(squared_distances(scaled, scaled), self.nu)
        covariance = variance * k
        covariance.flat[:: n + 1] = variance + noise * relative + stated + 1e-10
        # LAPACK orders columns first: the transpose is the same matrix and needs no copy.
        cholesky, failed = dpotrf(covariance.T, lower=1, clean=1, overwrite_a=1)
        if failed:
            return np.inf, np.zeros_like(theta)
        log_determinant = 2.0 * np.log(np.diag(cholesky)).sum()
        # The lower triangle of K^-1, zeros above: products with K^-1 take it, its transpose and its diagonal.
        inverse, _ = dpotri(cholesky, lower=1, overwrite_c=1)
        diagonal = np.diag(inverse).copy()
        alpha = inverse @ y + y @ inverse - diagonal * y
        value = 0.5 * (y @ alpha + log_determinant + n * np.log(2.0 * np.pi))
        # dL/dtheta = -1/2 tr(W dK/dtheta) with W = alpha alpha^T - K^-1.
        gradient = np.empty_like(theta)
        trace = 2.0 * np.vdot(inverse.T, k) - diagonal.sum()
        gradient[0] = -0.5 * variance * (alpha @ (k @ alpha) - trace)
        gradient[-1] = -0.5 * noise * (relative * (alpha**2 - diagonal)).sum()
        # sum_ij M_ij (x_i - x_j)^2 = 2 (rows(M) . x^2 - x^T M x), for all inputs at once, with M = W * slope.
        half = inverse.T * slope
        diagonal *= np.diag(slope)
        rows = alpha * (slope @ alpha) - half.sum(0) - half.sum(1) + diagonal
        moment = alpha[:, None] * (slope @ (alpha[:, None] * scaled))
        moment -= half @ scaled + half.T @ scaled - diagonal[:, None] * scaled
        gradient[1:-1] = -variance * (rows @ scaled**2 - np.einsum("nd,nd->d", scaled, moment))
        if np.isfinite(self.prior_spread):
            deviations = (theta[1:-1] - 0.5 * np.log(inputs)) / self.prior_spread
            value += 0.5 * deviations @ deviations
            gradient[1:-1] += deviations / self.prior_spread
        return float(value), gradient

    def fit(self, X: Any, y: Any, sample_weight: Any = None, uncertainty: Any = None) -> MaternProcess:
        """Fit the hyper-parameters, and condition the process on the rows.

        Args:
            X: Inputs, (n, inputs).
            y: Targets, (n,).
            sample_weight: Positive weights of rows, (n,): the variance of the noise that is fitted is divided
                by them; equal by default.
            uncertainty: Known standard deviations of the noise, (n,), whose squares are added to the variance
                of the noise that is fitted; none by default.
        """
        x, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        relative = np.ones(len(y)) if sample_weight is None else 1.0 / np.asarray(sample_weight)
        stated = np.zeros(len(y)) if uncertainty is None else np.square(uncertainty)
        if len(x) > min(self.kernel_rows or len(x), self.rows or len(x)):
            # In a random order the first rows are a random draw.
            order = np.random.default_rng(self.random_state).permutation(len(x))[: self.rows]
            x, y, relative, stated = x[order], y[order], relative[order], stated[order]
        self.offset_, self.scale_ = y.mean(), y.std() or 1.0
        stated = stated / self.scale_**2
        target = (y - self.offset_) / self.scale_
        inputs = x.shape[1]
        start = np.concatenate([[0.0], np.full(inputs, 0.5 * np.log(inputs)), [np.log(0.05)]])
        bounds = [(-7.0, 7.0), *[(-5.0, 9.0)] * inputs, (np.log(1e-6), np.log(2.0))]
        optimum = minimize(
            self._objective,
            np.clip(start, *np.transpose(bounds)),
            args=tuple(values[: self.kernel_rows] for values in (x, target, relative, stated)),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": self.max_iter, "ftol": 1e-5, "gtol": 1e-3},
        )
        self.theta_ = optimum.x
        self.n_iter_ = int(optimum.nit)
        self.log_marginal_likelihood_ = -float(optimum.fun)
        self.x_ = x / np.exp(self.theta_[1:-1])
        self.noise_ = np.exp(self.theta_[-1]) * relative + stated
        self.cholesky_ = self._factorise()
        self.alpha_ = cho_solve((self.cholesky_, True), target)
        return self

    def _factorise(self) -> np.ndarray:
        """Cholesky factor (n, n) of the covariance of the training rows, noise included."""
        covariance = np.exp(self.theta_[0]) * matern(squared_distances(self.x_, self.x_), self.nu)[0]
        covariance.flat[:: len(self.x_) + 1] += self.noise_ + 1e-10
        return np.linalg.cholesky(covariance)

    def __getstate__(self) -> dict[str, Any]:
        """State without the Cholesky factor, by far its largest part, which follows from the rest."""
        return {name: value for name, value in super().__getstate__().items() if name != "cholesky_"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if hasattr(self, "x_"):
            self.cholesky_ = self._factorise()

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Mean (n,), and with ``return_std`` the standard deviation (n,) of a measurement, noise included."""
        check_is_fitted(self)
        x = validate_data(self, X, dtype=np.float64, reset=False) / np.exp(self.theta_[1:-1])
        parts = [self._predict(x[start : start + CHUNK], return_std) for start in range(0, len(x), CHUNK)]
        if not return_std:
            return np.concatenate(parts)
        mean, std = (np.concatenate(values) for values in zip(*parts, strict=True))
        return mean, std

    def _predict(self, x: np.ndarray, return_std: bool) -> Any:
        """As `predict`, for scaled rows (n, inputs) that are few enough."""
        variance, noise = np.exp(self.theta_[0]), np.exp(self.theta_[-1])
        cross = matern(squared_distances(x, self.x_), self.nu)[0]
        cross *= variance
        mean = cross @ self.alpha_ * self.scale_ + self.offset_
        if not return_std:
            return mean
        reduced = solve_triangular(self.cholesky_, cross.T, lower=True, overwrite_b=True, check_finite=False)
        spread = variance + noise - np.square(reduced, out=reduced).sum(0)
        return mean, np.sqrt(np.maximum(spread, noise)) * self.scale_
