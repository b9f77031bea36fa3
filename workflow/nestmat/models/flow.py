"""Conditional normalising flows of coupling layers."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor, nn
from zuko.distributions import DiagNormal
from zuko.flows import Flow, GeneralCouplingTransform, UnconditionalDistribution
from zuko.transforms import MonotonicAffineTransform, MonotonicRQSTransform

from nestmat.models.density_settings import FlowSettings

REACH = 5.0
"""Splines act on numbers up to this size, and leave those beyond as they are."""


def coupling_flow(features: int, conditions: int, settings: FlowSettings, seed: int) -> Flow:
    """A flow from numbers to standard normal ones of as many, with random halves.

    Args:
        features: Numbers.
        conditions: Conditions that every coupling reads; 0 for none.
        settings: Sizes.
        seed: Seed of halves and first weights.
    """
    if settings.transform == "affine":
        univariate = partial(MonotonicAffineTransform, slope=math.exp(-settings.clamp))
        shapes: list[tuple[int, ...]] = [(), ()]
    else:
        univariate = partial(MonotonicRQSTransform, bound=REACH)
        shapes = [(settings.bins,), (settings.bins,), (settings.bins - 1,)]
    hidden = [settings.width] * settings.layers
    couplings = []
    # The first weights of torch's layers come from its global generator, which is left as it was.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for _ in range(settings.blocks):
            half = torch.randperm(features) % 2 == 0
            couplings += [
                GeneralCouplingTransform(
                    features, conditions, mask, univariate=univariate, shapes=shapes, hidden_features=hidden
                )
                for mask in (half, ~half)
            ]
    base = UnconditionalDistribution(
        DiagNormal, loc=torch.zeros(features), scale=torch.ones(features), buffer=True
    )
    return Flow(couplings, base)


class ConditionalFlow(nn.Module):
    """Density of numbers under conditions, exact both ways.

    With affine couplings it is the conditional invertible network of Ardizzone et al. (arXiv:1907.02392).

    Args:
        features: Numbers.
        conditions: Conditions.
        settings: Sizes.
        seed: Seed of halves and first weights.
    """

    def __init__(self, features: int, conditions: int, settings: FlowSettings, seed: int):
        super().__init__()
        self.features = features
        self.flow = coupling_flow(features, conditions, settings, seed)

    def loss(self, x: Tensor, c: Tensor, random: torch.Generator) -> Tensor:
        """Mean negative log-likelihood in nats of numbers (n, features) under conditions (n, conditions)."""
        return -self.flow(c).log_prob(x).mean()

    def sample(self, c: Tensor, random: torch.Generator) -> Tensor:
        """Numbers (n, features) under conditions (n, conditions)."""
        z = torch.randn(len(c), self.features, generator=random)
        return self.flow(c).transform.inv(z.to(c))
