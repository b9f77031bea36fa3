"""The dependence of latents on targets against the criterion of plain kernels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nestmat.models.losses import dependence


def weighted(rows: int, seed: int = 0) -> np.ndarray:
    weight = np.random.default_rng(seed).uniform(0.5, 1.5, rows)
    return weight / weight.sum()


def hsic(first: np.ndarray, second: np.ndarray, weight: np.ndarray) -> float:
    centring = np.eye(len(weight)) - np.outer(np.ones(len(weight)), weight)
    one, other = (centring @ kernel @ centring.T for kernel in (first, second))
    return float(weight @ (one * other) @ weight)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 40.0])
def test_dependence_is_the_criterion_of_plain_kernels_whatever_the_scale(scale):
    rng = np.random.default_rng(1)
    n, weight = 30, weighted(30)
    y = rng.integers(0, 2, (n, 1)) * 1.0
    z = rng.normal(size=(n, 3)) + 0.8 * y
    covariance = np.cov(z.T, aweights=weight, bias=True)
    covariance += 1e-3 * np.trace(covariance) / 3 * np.eye(3)
    white = np.linalg.solve(np.linalg.cholesky(covariance), z.T).T
    square = ((white[:, None] - white[None]) ** 2).sum(axis=2)
    square = square / (weight @ square @ weight)
    kernel = np.mean([width / (width + square) for width in (0.02, 0.1, 0.5)], axis=0)
    of_labels = np.exp(-0.5 * ((y[:, None] - y[None]) ** 2).sum(axis=2))
    expected = hsic(kernel, of_labels, weight) / hsic(of_labels, of_labels, weight)
    arrays = (scale * z.T[None], y.T[None], weight[None])
    found = dependence(*(torch.from_numpy(np.ascontiguousarray(part)) for part in arrays))
    assert found.item() == pytest.approx(expected, rel=1e-9)


def test_dependence_does_not_hide_beside_a_large_direction():
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(0, 2, (1, 1, 200), generator=generator).float()
    noise = torch.randn(1, 2, 200, generator=generator)
    telling = torch.cat([noise[:, :1], noise[:, 1:] + 4 * y], dim=1)
    beside = torch.cat([20 * noise[:, :1], telling[:, 1:] + 20 * noise[:, :1]], dim=1)
    weight = torch.full((1, 200), 1 / 200)
    seen, hidden = dependence(telling, y, weight), dependence(beside, y, weight)
    assert hidden > 0.5 * seen > 5 * dependence(noise, y, weight)


def test_dependence_vanishes_for_independent_columns_and_not_for_dependent_ones():
    generator = torch.Generator().manual_seed(0)
    found = []
    for rows in (50, 200, 800):
        y = torch.randint(0, 2, (20, 1, rows), generator=generator).float()
        z = torch.randn(20, 3, rows, generator=generator)
        weight = torch.full((20, rows), 1 / rows)
        found.append(dependence(z, y, weight).mean().item())
    assert found[1] < found[0] / 3
    assert found[2] < found[1] / 3
    # Same mean and spread of both classes: another shape alone.
    shaped = torch.where(y > 0, z.sign(), z)
    assert dependence(shaped, y, weight).min() > 10 * found[2]
