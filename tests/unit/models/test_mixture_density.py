"""Mixture density networks."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from nestmat.models.density_settings import MixtureSettings
from nestmat.models.mixture_density import MixtureDensity


def test_a_mixture_has_the_density_of_its_components():
    network = MixtureDensity(2, 1, MixtureSettings(components=3, width=8), seed=0)
    x, c = torch.randn(4, 2), torch.randn(4, 1)
    log_weight, mean, factor = network._parts(c)
    # The factor L is of the inverse covariance: white noise is L (x - mean).
    precision = factor.transpose(2, 3) @ factor
    parts = MultivariateNormal(mean, precision_matrix=precision)
    peer = MixtureSameFamily(Categorical(logits=log_weight), parts)
    loss = network.loss(x, c, torch.Generator())
    assert loss.item() == pytest.approx(-peer.log_prob(x).mean().item(), rel=1e-4)


def test_samples_of_a_mixture_have_its_mean_and_covariance():
    network = MixtureDensity(2, 1, MixtureSettings(components=1, width=8), seed=0)
    c = torch.zeros(20_000, 1)
    _, mean, factor = network._parts(c[:1])
    with torch.no_grad():
        x = network.sample(c, torch.Generator().manual_seed(0))
    covariance = torch.linalg.inv(factor[0, 0].T @ factor[0, 0])
    assert torch.allclose(x.mean(dim=0), mean[0, 0], atol=0.05)
    assert torch.allclose(torch.cov(x.T), covariance, atol=0.06 * float(covariance.max()))
