from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from nestmat.evaluation.estimators.matern_process import MaternProcess


def process_pair(nu: float) -> tuple[MaternProcess, GaussianProcessRegressor, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(50, 3))
    y = np.sin(2.0 * x[:, 0]) + 0.3 * x[:, 1] + 0.1 * rng.normal(size=50)
    mine = MaternProcess(nu=nu).fit(x, y)
    theta = mine.theta_
    kernel = ConstantKernel(np.exp(theta[0])) * Matern(np.exp(theta[1:-1]), nu=nu) + WhiteKernel(
        np.exp(theta[-1])
    )
    peer = GaussianProcessRegressor(kernel, normalize_y=True, optimizer=None, alpha=1e-10).fit(x, y)
    return mine, peer, x, y


@pytest.mark.parametrize("nu", [0.5, 1.5, 2.5, np.inf])
def test_gaussian_process_equals_scikit_learn(nu):
    mine, peer, _, _ = process_pair(nu)
    assert mine.log_marginal_likelihood_ == pytest.approx(peer.log_marginal_likelihood_value_, rel=1e-8)
    new = np.random.default_rng(4).normal(size=(20, 3))
    mean, std = mine.predict(new, return_std=True)
    expected, spread = peer.predict(new, return_std=True)
    np.testing.assert_allclose(mean, expected, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(std, spread, rtol=1e-6)


@pytest.mark.parametrize("nu", [0.5, 1.5, 2.5, np.inf])
@pytest.mark.parametrize("prior", [np.inf, 1.0])
def test_gaussian_process_gradient_equals_finite_differences(nu, prior):
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(30, 3)), rng.normal(size=30)
    process, theta = MaternProcess(nu=nu, prior_spread=prior), np.array([0.2, 0.1, 0.5, 1.0, -2.0])
    numeric = approx_fprime(theta, lambda t: process._objective(t, x, y)[0], 1e-7)
    np.testing.assert_allclose(process._objective(theta, x, y)[1], numeric, rtol=1e-4, atol=1e-4)


def test_parameters_are_as_likely_as_those_of_scikit_learn():
    mine, _, x, y = process_pair(2.5)
    kernel = ConstantKernel(1.0) * Matern([1.7] * 3, nu=2.5, length_scale_bounds=(1e-2, 1e9)) + WhiteKernel(
        0.05
    )
    peer = GaussianProcessRegressor(kernel, normalize_y=True).fit(x, y)
    assert mine.log_marginal_likelihood_ > peer.log_marginal_likelihood_value_ - 0.1
