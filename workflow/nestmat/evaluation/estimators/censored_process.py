"""Gaussian process for a target with a floor, as a gap that is 0 for every metal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve, solve_triangular
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize
from sklearn.preprocessing import StandardScaler

from nestmat.errors import InputError
from nestmat.evaluation.estimators.matern_process import CHUNK, MaternProcess, matern, squared_distances

Numbers = NDArray[np.float64]

SETTLING = 50
"""Most rounds in which it is settled which values are held at the floor."""


class CensoredProcess:
    """Exact Gaussian process of all rows, with hyperparameters that are found on rows above the floor.

    A target at its floor only bounds the process from above. Its value is taken to be the most
    probable one: of all values below the floor those that minimise z^T Q z, where z are the values of all
    rows less their mean and Q is their precision. So the process may go on below the floor.

    Args:
        floor: Smallest value of the target; None where it has no floor.
        nu: Smoothness of the Matern kernel: 0.5, 1.5, 2.5 or infinity.
        rows: Most rows that the hyperparameters are fitted to, by marginal likelihood.
    """

    def __init__(self, floor: float | None = None, nu: float = 1.5, rows: int = 1000):
        self.floor, self.nu, self.rows = floor, nu, rows

    def fit(self, x: Numbers, y: Numbers) -> CensoredProcess:
        """Fit to inputs (n, inputs) and targets (n,).

        Raises:
            InputError: Fewer than two targets lie above the floor.
        """
        low = np.zeros(len(y), dtype=bool) if self.floor is None else y <= self.floor
        if (~low).sum() < 2:
            raise InputError(
                f"Only {(~low).sum()} of {len(y)} targets lie above the floor, too few to learn from.",
                value=self.floor,
                remedy="lower the floor, or judge by trees.",
            )
        self._scaler = StandardScaler().fit(x)
        x = self._scaler.transform(x)
        subset = np.random.default_rng(0).permutation(np.flatnonzero(~low))[: self.rows]
        fitted = MaternProcess(nu=self.nu, max_iter=40).fit(x[subset], y[subset])
        self._mean, self._scale = fitted.offset_, fitted.scale_
        self._variance, self._noise = np.exp(fitted.theta_[[0, -1]])
        self._lengths = np.exp(fitted.theta_[1:-1])
        covariance = self._covariance(x, x)
        covariance.flat[:: len(x) + 1] += self._noise + 1e-10
        self._cholesky = np.linalg.cholesky(covariance)
        inverse, _ = dpotri(self._cholesky, lower=1)
        precision = np.tril(inverse) + np.tril(inverse, -1).T
        z = (y - self._mean) / self._scale
        if low.any():
            z[low] = self._below(precision, z, low)
        self._x, self._weights = x, precision @ z
        return self

    def predict(self, x: Numbers) -> tuple[Numbers, Numbers]:
        """Mean, not below the floor, and standard deviation of a measurement, (n,) each."""
        parts = [self._predict(x[start : start + CHUNK]) for start in range(0, max(len(x), 1), CHUNK)]
        mean, std = (np.concatenate(values) for values in zip(*parts, strict=True))
        return mean, std

    def _predict(self, x: Numbers) -> tuple[Numbers, Numbers]:
        cross = self._covariance(self._scaler.transform(x), self._x)
        mean = cross @ self._weights * self._scale + self._mean
        reduced = solve_triangular(self._cholesky, cross.T, lower=True, check_finite=False)
        spread = np.maximum(self._variance - (reduced**2).sum(axis=0), 0.0) + self._noise
        return np.maximum(mean, -np.inf if self.floor is None else self.floor), np.sqrt(spread) * self._scale

    def _covariance(self, a: Numbers, b: Numbers) -> Numbers:
        return self._variance * matern(squared_distances(a / self._lengths, b / self._lengths), self.nu)[0]

    def _below(self, precision: Numbers, z: Numbers, low: NDArray[np.bool_]) -> Numbers:
        """Most probable values (low,) where the target is at its floor, given the other values of z (n,).

        Which of them are held at the floor is guessed by L-BFGS-B and then settled by the primal-dual active
        set method (Hintermüller, Ito & Kunisch, SIAM J. Optim. 13, 865 (2002)), which is exact.

        Raises:
            InputError: The method does not settle.
        """
        block, linear = precision[np.ix_(low, low)], precision[np.ix_(low, ~low)] @ z[~low]

        def energy(u: Numbers) -> tuple[float, Numbers]:
            pull = block @ u
            return float(0.5 * u @ pull + linear @ u), pull + linear

        optimum = minimize(
            energy,
            z[low],
            jac=True,
            method="L-BFGS-B",
            bounds=[(None, value) for value in z[low]],
            options={"maxiter": 500, "maxfun": 1000},
        )
        top, u = z[low], optimum.x
        at_floor = u >= top
        for _ in range(SETTLING):
            u = np.where(at_floor, top, 0.0)
            free = ~at_floor
            if free.any():
                pull = linear[free] + block[np.ix_(free, at_floor)] @ top[at_floor]
                u[free] = -solve(block[np.ix_(free, free)], pull, assume_a="pos")
            slope = block @ u + linear
            updated = np.where(at_floor, slope < 0, u > top)
            if np.array_equal(updated, at_floor):
                return u
            at_floor = updated
        raise InputError(
            f"The Gaussian process does not settle in {SETTLING} rounds which values lie at the floor.",
            value=self.floor,
            remedy="take out redundant features, or judge by trees.",
        )
