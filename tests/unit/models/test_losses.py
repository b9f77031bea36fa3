"""Losses and penalties against torch, scipy and their formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn
from torch.nn import functional

from nestmat.models import losses

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
