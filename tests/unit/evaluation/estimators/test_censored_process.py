"""A Gaussian process with a floor, against scikit-learn without one and against a function that is known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from nestmat.errors import InputError
from nestmat.evaluation.estimators.censored_process import CensoredProcess

FLOOR = 0.3


def smooth(x: np.ndarray) -> np.ndarray:
    return x[:, 0] + 0.5 * np.sin(2 * x[:, 1]) - 0.2


def rows(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-2, 2, size=(n, 3))


@pytest.mark.parametrize("nu", [0.5, 1.5, 2.5])
def test_without_a_floor_it_is_that_of_scikit_learn(nu):
    x = rows(80, 0)
    y = smooth(x) + 0.05 * np.random.default_rng(1).normal(size=80)
    mine = CensoredProcess(nu=nu).fit(x, y)
    # The hyperparameters of the process as found, on inputs and targets in their own units.
    kernel = mine._scale**2 * ConstantKernel(mine._variance) * Matern(
        mine._lengths * mine._scaler.scale_, nu=nu
    ) + WhiteKernel(mine._noise * mine._scale**2)
    peer = GaussianProcessRegressor(kernel, optimizer=None, alpha=1e-10 * mine._scale**2)
    peer.fit(x, y - mine._mean)
    new = rows(30, 2)
    mean, std = mine.predict(new)
    expected, spread = peer.predict(new, return_std=True)
    np.testing.assert_allclose(mean, expected + mine._mean, atol=1e-6)
    np.testing.assert_allclose(std, spread, rtol=1e-5)


def test_some_rows_give_the_hyperparameters_and_all_the_process():
    x = rows(300, 0)
    some = CensoredProcess(rows=60).fit(x, smooth(x))
    alone = CensoredProcess(rows=60).fit(x[:60], smooth(x[:60]))
    new = rows(200, 1)
    errors = [np.abs(p.predict(new)[0] - smooth(new)).mean() for p in (some, alone)]
    assert errors[0] < 0.7 * errors[1]


def test_a_floor_is_kept_and_does_not_bend_what_is_above_it():
    x, new = rows(250, 3), rows(500, 4)
    y, truth = np.maximum(smooth(x), FLOOR), np.maximum(smooth(new), FLOOR)
    mean, std = CensoredProcess(FLOOR).fit(x, y).predict(new)
    plain, _ = CensoredProcess().fit(x, y).predict(new)
    assert (mean >= FLOOR).all()
    assert (plain < FLOOR).any()
    assert np.isfinite(std).all()
    error, without = np.abs(mean - truth), np.abs(np.maximum(plain, FLOOR) - truth)
    edge = np.abs(smooth(new) - FLOOR) < 0.15
    assert error[edge].mean() < 0.5 * without[edge].mean()
    assert error.mean() < 0.5 * without.mean()
    assert (mean[smooth(new) < FLOOR - 0.3] == FLOOR).all()


def test_values_below_the_floor_are_the_most_probable_ones():
    x = rows(60, 5)
    y = np.maximum(smooth(x), FLOOR)
    # Rows that lie far above the floor but for their label are held at it.
    y[np.argsort(smooth(x))[-8:-4]] = FLOOR
    process = CensoredProcess(FLOOR).fit(x, y)
    covariance = process._covariance(process._x, process._x)
    covariance += (process._noise + 1e-10) * np.eye(60)
    # Weights are the slope of z^T Q z / 2: none where z is free, none that pushes down where it is held.
    z = covariance @ process._weights
    top = (FLOOR - process._mean) / process._scale
    low = y == FLOOR
    np.testing.assert_allclose(z[~low], (y[~low] - process._mean) / process._scale, atol=1e-6)
    assert (z[low] <= top + 1e-6).all()
    free = low & (z < top - 1e-6)
    assert 0 < free.sum() < low.sum()
    scale = np.abs(process._weights).max()
    assert np.abs(process._weights[free]).max() < 1e-4 * scale
    assert process._weights[low & ~free].max() < 1e-4 * scale


def test_a_target_that_is_always_at_its_floor_teaches_nothing():
    with pytest.raises(InputError, match="0 of 20 targets lie above the floor"):
        CensoredProcess(FLOOR).fit(rows(20, 0), np.full(20, FLOOR))
