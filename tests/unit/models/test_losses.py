"""Losses and penalties against torch, scipy and their formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.metrics import log_loss
from torch import nn
from torch.nn import functional

from nestmat.models import losses
from nestmat.models.losses import binary_cross_entropy, dependence

MEMBERS, ROWS = 3, 40


def uniform_weight(rows: int = ROWS) -> torch.Tensor:
    return torch.full((MEMBERS, rows), 1 / rows)


@pytest.mark.parametrize(
    ("name", "peer"),
    [("mae", functional.l1_loss), ("mse", functional.mse_loss), ("huber", functional.huber_loss)],
)
def test_losses_equal_torch_and_ignore_padding(name, peer):
    output, target = torch.randn(MEMBERS, 4, ROWS), torch.randn(MEMBERS, 4, ROWS)
    weight = uniform_weight(ROWS - 5)
    padded = functional.pad(weight, (0, 5))
    found = losses.LOSSES[name](output, target, padded)
    for member in range(MEMBERS):
        expected = peer(output[member, :, :-5], target[member, :, :-5])
        assert found[member].item() == pytest.approx(expected.item(), rel=1e-5)


def test_cross_entropy_takes_fractions():
    output = torch.randn(MEMBERS, 4, ROWS)
    target = torch.softmax(torch.randn(MEMBERS, 4, ROWS), dim=1)
    found = losses.cross_entropy(output, target, uniform_weight())
    expected = [nn.CrossEntropyLoss()(output[m].T, target[m].T) for m in range(MEMBERS)]
    torch.testing.assert_close(found, torch.stack(expected))


def test_gaussian_nll_is_the_log_density_without_its_constant():
    mean, log_variance, target = (torch.randn(MEMBERS, 1, ROWS) for _ in range(3))
    found = losses.gaussian_nll(torch.cat([mean, log_variance], dim=1), target, uniform_weight())
    bounded = 10 * torch.tanh(log_variance / 10)
    density = torch.distributions.Normal(mean, torch.exp(0.5 * bounded)).log_prob(target)
    expected = -density.mean(dim=(1, 2)) - 0.5 * np.log(2 * np.pi)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("name", ["mae", "mse", "huber"])
def test_below_a_floor_nothing_is_lost(name):
    output = torch.tensor([[[-2.0, -2.0, 1.0, 1.0]]]).requires_grad_(True)
    target = torch.tensor([[[-1.0, -1.0, -1.0, -1.0]]])
    at_floor = torch.tensor([[[1.0, 0.0, 1.0, 0.0]]])
    each = [
        losses.censored(name, output, target, functional.one_hot(torch.tensor([k]), 4).float(), at_floor)
        for k in range(4)
    ]
    plain = [
        losses.LOSSES[name](output, target, functional.one_hot(torch.tensor([k]), 4).float())
        for k in range(4)
    ]
    assert each[0].item() == 0
    for k in (1, 2, 3):
        assert each[k].item() == plain[k].item() > 0
    [slope] = torch.autograd.grad(sum(each), output)
    assert (slope[0, 0].sign() == torch.tensor([0.0, -1.0, 1.0, 1.0])).all()


def test_gaussian_nll_at_a_floor_is_that_of_a_censored_normal():
    mean, log_variance, target = (torch.randn(MEMBERS, 1, ROWS) for _ in range(3))
    at_floor = (torch.rand(MEMBERS, 1, ROWS) < 0.5).float()
    output = torch.cat([mean, log_variance], dim=1)
    found = losses.censored("gaussian_nll", output, target, uniform_weight(), at_floor)
    normal = stats.norm(mean.numpy(), np.exp(5 * np.tanh(log_variance.numpy() / 10)))
    density = normal.logpdf(target.numpy()) + 0.5 * np.log(2 * np.pi)
    expected = -np.where(at_floor.numpy() > 0, normal.logcdf(target.numpy()), density).mean(axis=(1, 2))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)


def test_gaussian_nll_far_above_a_floor_stays_finite():
    output = torch.tensor([[[50.0], [-20.0]]]).requires_grad_(True)
    loss = losses.censored(
        "gaussian_nll", output, torch.zeros(1, 1, 1), torch.ones(1, 1), torch.ones(1, 1, 1)
    ).sum()
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(output.grad).all()
    assert output.grad[0, 0] > 0


def test_adjusted_correlation_equals_scipy():
    values = torch.randn(MEMBERS, 3, ROWS, dtype=torch.float64)
    values[:, 1] += 0.7 * values[:, 0]
    weight = functional.pad(uniform_weight(ROWS - 4).double(), (0, 4))
    found = losses.adjusted_correlation(values, weight)
    n = ROWS - 4
    error = 1 / np.sqrt(n - 3)
    for member in range(MEMBERS):
        for i, j in ((0, 1), (0, 2), (1, 2)):
            rho = stats.pearsonr(values[member, i, :n], values[member, j, :n]).statistic
            expected = max(0.0, (abs(rho) - error) / (1 - error))
            assert found[member, i, j].item() == pytest.approx(expected, abs=1e-9)


def test_latent_correlation_terms_follow_their_formulas():
    z, y = torch.randn(MEMBERS, 4, ROWS).double(), torch.randn(MEMBERS, 1, ROWS).double()
    y = y + z[:, :1]
    weight = uniform_weight().double()
    target, decorrelation = losses.latent_correlations(z, y, weight)
    rho = losses.adjusted_correlation(torch.cat([z, y], dim=1), weight).numpy()
    pairs = [(i, j) for i in range(4) for j in range(i + 1, 4)]
    for member in range(MEMBERS):
        assert target[member].item() == pytest.approx(1 - rho[member, 0, 4])
        expected = np.mean([np.sin(np.pi / 2 * rho[member, i, j]) ** 2 for i, j in pairs])
        assert decorrelation[member].item() == pytest.approx(expected)


def test_constant_latents_have_finite_gradients():
    z = torch.zeros(MEMBERS, 2, ROWS, requires_grad=True)
    target, decorrelation = losses.latent_correlations(z, torch.randn(MEMBERS, 1, ROWS), uniform_weight())
    (target + decorrelation).sum().backward()
    assert torch.isfinite(z.grad).all()


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


def test_dependence_vanishes_for_independent_columns_alone():
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


def test_the_loss_is_that_of_torch_and_of_scikit_learn():
    rng = np.random.default_rng(0)
    logits, true = rng.normal(0, 3, (2, 1, 30)), rng.integers(0, 2, (2, 1, 30)).astype(float)
    weight = torch.full((2, 30), 1 / 30, dtype=torch.float64)
    found = binary_cross_entropy(torch.from_numpy(logits), torch.from_numpy(true), weight)
    probability = 1 / (1 + np.exp(-logits))
    expected = [log_loss(true[m, 0], probability[m, 0]) for m in range(2)]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9)
