"""A conditional variational autoencoder of the materials of a space."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nestmat.models.layers import Layout, Output, Perceptrons
from nestmat.models.losses import split_gaussian
from nestmat.search.spaces.product import Product

ACTIVE = 0.01
"""Variance of its posterior mean over materials from which a latent counts as active."""

SHARPEST = 0.01
"""Least standard deviation of a number, as a share of its interval."""

FARTHEST = 5.0
"""Most standard deviations of a condition from the mean."""


@dataclass(frozen=True)
class ConditionalVAESettings:
    """What a `ConditionalVAE` is made of, and how it is trained.

    Attributes:
        latents: Latents of a material.
        width: Width of the hidden layers of encoder and decoder.
        layers: Their number.
        beta: Weight of the divergence from the prior.
        free_bits: Divergence in nats that each latent has for nothing.
        warmup: Share of the first training in which the weight of the divergence rises from 0.
        null: Share of the materials whose conditions are hidden while training.
        steps: Steps of Adam of the first training.
        batch: Materials a step.
        rate: Step size, which falls to 0 along a cosine.
    """

    latents: int = 8
    width: int = 64
    layers: int = 2
    beta: float = 1.0
    free_bits: float = 0.05
    warmup: float = 0.3
    null: float = 0.2
    steps: int = 1500
    batch: int = 256
    rate: float = 3e-3


class ConditionalVAE(nn.Module):
    """Materials from normal latents, under conditions or without any.

    The conditional variational autoencoder of Sohn, Lee & Yan (NeurIPS 2015): the encoder reads a material
    and its conditions, the decoder latents and conditions. Conditions are hidden at random while training
    (Ho & Salimans, arXiv:2207.12598, for diffusion models), so that one network also gives materials without
    conditions. The decoder gives the free numbers of the space, so that what it makes keeps the rules of the
    space exactly.

    What is lost on the way is measured in nats: shares are counts of a multinomial distribution of as many
    draws as the grid has steps, numbers are normal with a trained standard deviation, levels are categorical.
    The divergence of each latent counts from ``free_bits`` on (Kingma et al., NeurIPS 2016).

    Args:
        space: The materials.
        conditions: Number of conditions.
        settings: Sizes and training.
        seed: Seed of all that is drawn.
    """

    _mean: Tensor
    _std: Tensor

    def __init__(self, space: Product, conditions: int, settings: ConditionalVAESettings, seed: int):
        super().__init__()
        self.space, self.settings = space, settings
        self._random = torch.Generator().manual_seed(seed)
        self.register_buffer("_mean", torch.zeros(conditions, dtype=torch.float64))
        self.register_buffer("_std", torch.ones(conditions, dtype=torch.float64))
        self._factors = [factor for factor in space.factors if factor.n_free]
        told, hidden = conditions + 1, (settings.width,) * settings.layers
        read = self._features(space.sample(1, seed)).shape[1] + told
        latents, free = Output(2 * settings.latents), Output(space.n_free)
        self._layout = Layout()
        self._encoder = Perceptrons(self._layout, "encoder", read, hidden, {"latents": latents}, "silu")
        self._decoder = Perceptrons(
            self._layout, "decoder", settings.latents + told, hidden, {"free": free}, "silu"
        )
        self._flat = nn.Parameter(self._layout.initial([seed]))
        self._log_spread = nn.Parameter(torch.zeros(len(self._factors)))
        self._optimiser = torch.optim.Adam(self.parameters())
        self._trained = False

    def standardise(self, y: NDArray[np.float64]) -> None:
        """Take the scaling of the conditions from (n, conditions); rows with a NaN do not count."""
        known = y[np.isfinite(y).all(axis=1)]
        spread = known.std(axis=0)
        varies = spread > 1e-9 * np.abs(known).max(axis=0)
        self._mean.copy_(torch.from_numpy(known.mean(axis=0)))
        self._std.copy_(torch.from_numpy(np.where(varies, spread, 1.0)))

    def draw_anew(self, seed: int) -> None:
        """Begin what is drawn from a seed."""
        self._random.manual_seed(seed)

    def _features(self, x: NDArray[np.float64]) -> Tensor:
        """What the encoder reads, (n, features), about 1 in size; what is periodic goes round."""
        parts = zip(self.space.factors, self.space.split(x), strict=True)
        return torch.from_numpy(np.hstack([factor.network_inputs(part) for factor, part in parts])).float()

    def _conditions(self, y: NDArray[np.float64] | None, n: int) -> Tensor:
        """Scaled conditions and whether they are known, (n, conditions + 1); zeros where they are not."""
        if y is None:
            return torch.zeros(n, len(self._mean) + 1)
        scaled = np.clip((y - self._mean.numpy()) / self._std.numpy(), -FARTHEST, FARTHEST)
        known = np.isfinite(scaled).all(axis=1, keepdims=True)
        return torch.from_numpy(np.hstack([np.where(known, scaled, 0.0), known])).float()

    def _encode(self, features: Tensor, conditions: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the latents, (n, latents) each."""
        read = torch.cat([features, conditions], dim=1).T[None]
        latents = self._encoder(read, self._layout.views(self._flat), None)["latents"]
        mean, log_variance = split_gaussian(latents)
        return mean[0].T, log_variance[0].T

    def _decode(self, z: Tensor, conditions: Tensor) -> Tensor:
        """Free numbers (n, free) of latents."""
        read = torch.cat([z, conditions], dim=1).T[None]
        return self._decoder(read, self._layout.views(self._flat), None)["free"][0].T

    def _misfit(self, free: Tensor, x: list[Tensor]) -> Tensor:
        """Negative log-likelihood (n,) in nats of the numbers of each factor, less what is always left."""
        found = free.new_zeros(len(free))
        parts = free.split([factor.n_free for factor in self._factors], dim=1)
        for k, (factor, decoded, target) in enumerate(zip(self._factors, parts, x, strict=True)):
            log_std = self._log_spread[k].clamp_min(math.log(SHARPEST))
            for term in factor.reconstruction_terms(decoded, target, log_std):
                found = found + term
        return found

    def _given(self, x: NDArray[np.float64]) -> list[Tensor]:
        parts = zip(self.space.factors, self.space.split(x), strict=True)
        return [torch.from_numpy(part).float() for factor, part in parts if factor.n_free]

    def fit(
        self, x: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64], steps: int
    ) -> list[float]:
        """Train, or train on, and return the loss of each step in nats.

        Args:
            x: Materials, (n, columns).
            y: Their conditions, (n, conditions).
            weight: How often each is drawn, (n,).
            steps: Steps of Adam.
        """
        settings = self.settings
        features, given, conditions = self._features(x), self._given(x), self._conditions(y, len(x))
        often = torch.from_numpy(weight)
        losses = []
        for step in range(steps):
            rows = torch.multinomial(often, settings.batch, replacement=True, generator=self._random)
            seen = torch.rand(settings.batch, 1, generator=self._random) >= settings.null
            told = conditions[rows] * seen
            mean, log_variance = self._encode(features[rows], told)
            noise = torch.randn(mean.shape, generator=self._random)
            free = self._decode(mean + noise * (0.5 * log_variance).exp(), told)
            lost = self._misfit(free, [part[rows] for part in given]).mean()
            divergence = _divergence(mean, log_variance).mean(dim=0).clamp_min(settings.free_bits).sum()
            rise = 1.0 if self._trained else min(1.0, step / max(1.0, settings.warmup * steps))
            self._optimiser.zero_grad()
            loss = lost + settings.beta * rise * divergence
            loss.backward()
            losses.append(loss.detach())
            for group in self._optimiser.param_groups:
                group["lr"] = settings.rate * 0.5 * (1 + math.cos(math.pi * step / steps))
            self._optimiser.step()
        self._trained = True
        return torch.stack(losses).tolist() if losses else []

    @torch.no_grad()
    def sample(self, y: NDArray[np.float64] | None, n: int) -> NDArray[np.float64]:
        """Materials on the grid, (n, columns), of normal latents.

        Args:
            y: Conditions, (n, conditions); none by default.
            n: How many.
        """
        z = torch.randn(n, self.settings.latents, generator=self._random)
        return self._make(z, self._conditions(y, n))

    def _make(self, z: Tensor, conditions: Tensor) -> NDArray[np.float64]:
        return self.space.canonical(self.space.from_free(self._decode(z, conditions)).numpy())

    @torch.no_grad()
    def diagnose(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> dict[str, object]:
        """How the latents of materials are used.

        Args:
            x: Materials, (n, columns), n > 1.
            y: Their conditions, (n, conditions).

        Returns:
            ``divergence`` from the prior of each latent in nats, largest first; number of ``active`` latents,
            whose posterior mean varies by more than 0.01 (Burda, Grosse & Salakhutdinov, ICLR 2016);
            ``reconstruction``, the mean distance in the space between materials and what their posterior mean
            is decoded to, and the share that comes back ``exact``.
        """
        conditions = self._conditions(y, len(x))
        mean, log_variance = self._encode(self._features(x), conditions)
        divergence = _divergence(mean, log_variance).mean(dim=0)
        again = self._make(mean, conditions)
        return {
            "divergence": sorted(divergence.tolist(), reverse=True),
            "active": int((mean.var(dim=0) > ACTIVE).sum()),
            "reconstruction": float(self.space.distance(x, again).mean()),
            "exact": float((x == again).all(axis=1).mean()),
        }


def _divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kullback-Leibler divergence of normal latents from standard normal ones, each, in nats."""
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance)
