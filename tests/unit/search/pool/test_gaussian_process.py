"""Gaussian processes of many searches, against scikit-learn."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from nestmat.search.pool import gaussian_process
from nestmat.search.pool.gaussian_process import Hyperparameters
from support.pool_searches import distances, rows

torch.set_num_threads(1)


HYPER = Hyperparameters(*torch.tensor([[0.3, -1.0], [1.7, 0.6], [0.8, 2.1], [0.05, 0.4]]).double())


def peers(x, y):
    """The same two processes as scikit-learn has them."""
    for k, (mean, variance, length, noise) in enumerate(zip(*(v.tolist() for v in HYPER), strict=True)):
        kernel = ConstantKernel(variance) * Matern(length, nu=2.5) + WhiteKernel(noise)
        peer = GaussianProcessRegressor(kernel, alpha=0.0, optimizer=None)
        yield peer.fit(x[k], y[k] - mean), mean, noise


def test_the_marginal_likelihood_is_that_of_scikit_learn():
    x, y = rows()
    found = gaussian_process.log_likelihood(HYPER, distances(x, x), torch.from_numpy(y))
    wanted = [peer.log_marginal_likelihood_value_ for peer, *_ in peers(x, y)]
    np.testing.assert_allclose(found, wanted, rtol=1e-10)


def test_the_posterior_without_noise_is_that_of_scikit_learn():
    x, y = rows()
    new = rows(9, seed=1)[0]
    mean, std = gaussian_process.posterior(HYPER, distances(x, x), torch.from_numpy(y), distances(x, new))
    for k, (peer, offset, noise) in enumerate(peers(x, y)):
        centre, spread = peer.predict(new[k], return_std=True)
        np.testing.assert_allclose(mean[k], centre + offset, rtol=1e-8)
        np.testing.assert_allclose(std[k] ** 2, spread**2 - noise, rtol=1e-8)


def test_training_raises_the_likelihood_and_knows_no_unit():
    x, y = rows(30)
    distance, y = distances(x, x), torch.from_numpy(y)
    untrained = Hyperparameters.of(torch.zeros(4, 2).double())
    found = gaussian_process.fit(distance, y, standardise=False)
    assert (
        gaussian_process.log_likelihood(found, distance, y)
        > gaussian_process.log_likelihood(untrained, distance, y) + 1
    ).all()
    one, other = gaussian_process.fit(distance, y), gaussian_process.fit(distance, 5 + 100 * y)
    torch.testing.assert_close(other.mean, 5 + 100 * one.mean)
    torch.testing.assert_close(other.variance, 1e4 * one.variance)
    torch.testing.assert_close(other.noise, 1e4 * one.noise)
    torch.testing.assert_close(other.length, one.length)
