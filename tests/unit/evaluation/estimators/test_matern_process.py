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
    arguments = x, y, rng.uniform(0.5, 2.0, 30), rng.uniform(0.0, 0.3, 30)
    numeric = approx_fprime(theta, lambda t: process._objective(t, *arguments)[0], 1e-7)
    np.testing.assert_allclose(process._objective(theta, *arguments)[1], numeric, rtol=1e-4, atol=1e-4)


def test_parameters_are_as_likely_as_those_of_scikit_learn():
    mine, _, x, y = process_pair(2.5)
    kernel = ConstantKernel(1.0) * Matern([1.7] * 3, nu=2.5, length_scale_bounds=(1e-2, 1e9)) + WhiteKernel(
        0.05
    )
    peer = GaussianProcessRegressor(kernel, normalize_y=True).fit(x, y)
    assert mine.log_marginal_likelihood_ > peer.log_marginal_likelihood_value_ - 0.1


def test_a_kernel_fitted_to_some_rows_is_used_on_all_or_on_the_rows_allowed():
    rng = np.random.default_rng(6)
    x = rng.normal(size=(200, 2))
    y = np.sin(2.0 * x[:, 0]) + 0.1 * rng.normal(size=200)
    order = np.random.default_rng(7).permutation(200)
    few = MaternProcess().fit(x[order[:40]], y[order[:40]])
    wide = MaternProcess(kernel_rows=40, random_state=7).fit(x, y)
    assert len(wide.x_) == 200
    # Up to the scale of the targets, which is that of all rows.
    np.testing.assert_allclose(np.exp(wide.theta_[1]), np.exp(few.theta_[1]), rtol=0.3)
    kept = MaternProcess(rows=40, random_state=7).fit(x, y)
    np.testing.assert_allclose(kept.theta_, few.theta_)
    np.testing.assert_array_equal(kept.predict(x), few.predict(x))
    error, error_of_few = (np.abs(p.predict(x) - np.sin(2.0 * x[:, 0])).mean() for p in (wide, few))
    assert error < 0.8 * error_of_few


def test_rows_are_predicted_alike_one_by_one_and_at_once(monkeypatch):
    mine, _, x, _ = process_pair(1.5)
    at_once = mine.predict(x, return_std=True)
    monkeypatch.setattr("nestmat.evaluation.estimators.matern_process.CHUNK", 7)
    np.testing.assert_allclose(mine.predict(x, return_std=True), at_once, rtol=1e-10)


def test_known_noise_of_rows_is_that_of_the_peer():
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern

    rng = np.random.default_rng(5)
    x = rng.uniform(-2, 2, size=(40, 1))
    uncertainty = np.where(x[:, 0] > 0, 0.5, 0.02)
    weights = rng.uniform(0.5, 2.0, 40)
    y = np.sin(2 * x[:, 0]) + uncertainty * rng.normal(size=40)
    process = MaternProcess(nu=1.5).fit(x, y, sample_weight=weights, uncertainty=uncertainty)
    variance, length, noise = np.exp(process.theta_)
    target = (y - y.mean()) / y.std()
    alpha = noise / weights + (uncertainty / y.std()) ** 2 + 1e-10
    kernel = ConstantKernel(variance, "fixed") * Matern(length, "fixed", nu=1.5)
    peer = GaussianProcessRegressor(kernel, alpha=alpha, optimizer=None).fit(x, target)
    new = np.linspace(-2, 2, 9)[:, None]
    np.testing.assert_allclose(process.predict(new), peer.predict(new) * y.std() + y.mean(), rtol=1e-6)
    assert process.log_marginal_likelihood_ == pytest.approx(peer.log_marginal_likelihood_value_, rel=1e-6)
