"""A mixture density network: a mixture of normal distributions whose parts follow from conditions."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from zuko.nn import MLP

from nestmat.models.density_settings import MixtureSettings

SMALLEST = 0.01
"""Least standard deviation of a component."""


class MixtureDensity(nn.Module):
    """Density of numbers under conditions: components with full covariance.

    Bishop, Mixture density networks, Aston University report NCRG/94/004 (1994), with the Cholesky factor of
    each inverse covariance (Williams, Neural Comput. 8, 843 (1996)).

    Args:
        features: Numbers.
        conditions: Conditions.
        settings: Sizes.
        seed: Seed of the first weights.
    """

    def __init__(self, features: int, conditions: int, settings: MixtureSettings, seed: int):
        super().__init__()
        self.features, self.components = features, settings.components
        self._below = features * (features - 1) // 2
        # The first weights of torch's layers come from its global generator, which is left as it was.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            width = settings.components * (1 + 2 * features + self._below)
            self.network = MLP(conditions, width, [settings.width] * settings.layers)
            self.middles = nn.Parameter(torch.randn(settings.components, features))

    def _parts(self, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log-weights (n, components), means, and the lower triangular factor of the inverse covariances."""
        raw = self.network(c).unflatten(1, (self.components, -1))
        weight, mean, scale, below = raw.split([1, self.features, self.features, self._below], dim=2)
        factor = torch.diag_embed(1.0 / (functional.softplus(scale) + SMALLEST))
        row, column = torch.tril_indices(self.features, self.features, offset=-1)
        factor[..., row, column] = below
        return functional.log_softmax(weight[..., 0], dim=1), mean + self.middles, factor

    def loss(self, x: Tensor, c: Tensor, random: torch.Generator) -> Tensor:
        """Mean negative log-likelihood in nats of numbers (n, features) under conditions (n, conditions)."""
        log_weight, mean, factor = self._parts(c)
        white = (factor @ (x[:, None] - mean)[..., None])[..., 0]
        log_density = (
            factor.diagonal(dim1=2, dim2=3).log().sum(dim=2)
            - 0.5 * white.square().sum(dim=2)
            - 0.5 * self.features * math.log(2 * math.pi)
        )
        return -torch.logsumexp(log_weight + log_density, dim=1).mean()

    def sample(self, c: Tensor, random: torch.Generator) -> Tensor:
        """Numbers (n, features) under conditions (n, conditions)."""
        log_weight, mean, factor = self._parts(c)
        chosen = torch.multinomial(log_weight.exp().cpu(), 1, generator=random)[:, 0].to(c.device)
        rows = torch.arange(len(c), device=c.device)
        noise = torch.randn(len(c), self.features, 1, generator=random).to(c)
        deviation = torch.linalg.solve_triangular(factor[rows, chosen], noise, upper=False)
        return mean[rows, chosen] + deviation[..., 0]
