"""A conditional variational autoencoder of the materials of a space."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nestmat.models.layers import Layout, Output, Perceptrons
from nestmat.models.losses import split_gaussian
from nestmat.search.generators.base import CURVE, even_weights
from nestmat.search.generators.conditional_vae_settings import ConditionalVAESettings
from nestmat.search.spaces.product import Product
from nestmat.training.trainer import Adam

ACTIVE = 0.01
"""Variance of its posterior mean over materials from which a latent counts as active."""

SHARPEST = 0.01
"""Smallest standard deviation of a number, as a share of its interval."""

FARTHEST = 5.0
"""Largest distance of a condition from the mean, in standard deviations."""


class ConditionalVAE(nn.Module):
    """Materials from normal latents, with or without conditions.

    The conditional variational autoencoder of Sohn, Lee & Yan (NeurIPS 2015): the encoder reads a material
    and its conditions, the decoder latents and conditions. Conditions are hidden at random while training
    (Ho & Salimans, arXiv:2207.12598, for diffusion models), so that one network also samples materials
    without conditions. The decoder returns unconstrained reals of the space, so that its materials keep the
    rules of the space exactly.

    The reconstruction loss is a likelihood in nats: fractions are counts of a multinomial distribution of as
    many draws as the grid has steps, numbers are normal with a trained standard deviation, levels are
    categorical. The divergence of each latent counts from ``free_bits`` on (Kingma et al., NeurIPS 2016).

    Args:
        space: The materials.
        conditions: Number of conditions.
        settings: Sizes and training.
        seed: Seed of all random draws.
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
        n_conditions, hidden = conditions + 1, (settings.width,) * settings.layers
        n_inputs = self._features(space.sample(1, seed)).shape[1] + n_conditions
        latents, free = Output(2 * settings.latents), Output(space.n_free)
        self._layout = Layout()
        self._encoder = Perceptrons(self._layout, "encoder", n_inputs, hidden, {"latents": latents}, "silu")
        self._decoder = Perceptrons(
            self._layout, "decoder", settings.latents + n_conditions, hidden, {"free": free}, "silu"
        )
        self._flat = nn.Parameter(self._layout.initial([seed]))
        self._log_spread = nn.Parameter(torch.zeros(len(self._factors)))
        self._optimisers = [Adam(parameter, settings.rate) for parameter in self.parameters()]
        self._trained = False

    def standardise(self, y: NDArray[np.float64]) -> None:
        """Take the scaling of the conditions from (n, conditions), without rows with a NaN."""
        defined = y[np.isfinite(y).all(axis=1)]
        spread = defined.std(axis=0)
        varies = spread > 1e-9 * np.abs(defined).max(axis=0)
        self._mean.copy_(torch.from_numpy(defined.mean(axis=0)))
        self._std.copy_(torch.from_numpy(np.where(varies, spread, 1.0)))

    def reseed(self, seed: int) -> None:
        """Set the seed of the following random draws."""
        self._random.manual_seed(seed)

    def _features(self, x: NDArray[np.float64]) -> Tensor:
        """Features of materials that the encoder reads, (n, features), of a size of about 1."""
        parts = zip(self.space.factors, self.space.split(x), strict=True)
        return torch.from_numpy(np.hstack([factor.network_inputs(part) for factor, part in parts])).float()

    def _conditions(self, y: NDArray[np.float64] | None, n: int) -> Tensor:
        """Scaled conditions and whether they are defined, (n, conditions + 1); zeros where they are not."""
        if y is None:
            return torch.zeros(n, len(self._mean) + 1)
        scaled = np.clip((y - self._mean.numpy()) / self._std.numpy(), -FARTHEST, FARTHEST)
        defined = np.isfinite(scaled).all(axis=1, keepdims=True)
        return torch.from_numpy(np.hstack([np.where(defined, scaled, 0.0), defined])).float()

    def _encode(
        self, features: Tensor, conditions: Tensor, weights: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the latents, (n, latents) each."""
        inputs = torch.cat([features, conditions], dim=1).T[None]
        latents = self._encoder(inputs, weights, None)["latents"]
        mean, log_variance = split_gaussian(latents)
        return mean[0].T, log_variance[0].T

    def _decode(self, z: Tensor, conditions: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
        """Unconstrained reals (n, n_free) of latents."""
        inputs = torch.cat([z, conditions], dim=1).T[None]
        return self._decoder(inputs, weights, None)["free"][0].T

    def _reconstruction_loss(self, free: Tensor, x: list[Tensor]) -> Tensor:
        """Negative log-likelihood (n,) in nats of the numbers of each factor, less a constant."""
        loss = free.new_zeros(len(free))
        parts = free.split([factor.n_free for factor in self._factors], dim=1)
        for k, (factor, decoded, target) in enumerate(zip(self._factors, parts, x, strict=True)):
            log_std = self._log_spread[k].clamp_min(math.log(SHARPEST))
            for term in factor.reconstruction_terms(decoded, target, log_std):
                loss = loss + term
        return loss

    def _numbers_by_factor(self, x: NDArray[np.float64]) -> list[Tensor]:
        parts = zip(self.space.factors, self.space.split(x), strict=True)
        return [torch.from_numpy(part).float() for factor, part in parts if factor.n_free]

    def fit(
        self, x: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64], steps: int
    ) -> list[float]:
        """Train, or continue the training, and return the loss of each step in nats.

        Args:
            x: Materials, (n, columns).
            y: Their conditions, (n, conditions).
            weight: Weight with which each is drawn, (n,).
            steps: Steps of Adam.
        """
        settings = self.settings
        features, conditions = self._features(x), self._conditions(y, len(x))
        numbers, weights = self._numbers_by_factor(x), torch.from_numpy(weight)
        losses = []
        for step in range(steps):
            rows = torch.multinomial(weights, settings.batch, replacement=True, generator=self._random)
            visible = torch.rand(settings.batch, 1, generator=self._random) >= settings.null
            shown = conditions[rows] * visible
            weights_by_name = self._layout.views(self._flat)
            mean, log_variance = self._encode(features[rows], shown, weights_by_name)
            noise = torch.randn(mean.shape, generator=self._random)
            free = self._decode(mean + noise * (0.5 * log_variance).exp(), shown, weights_by_name)
            reconstruction = self._reconstruction_loss(free, [part[rows] for part in numbers]).mean()
            divergence = _divergence(mean, log_variance).mean(dim=0).clamp_min(settings.free_bits).sum()
            rise = 1.0 if self._trained else min(1.0, step / max(1.0, settings.warmup * steps))
            loss = reconstruction + settings.beta * rise * divergence
            losses.append(loss.detach())
            rate = settings.rate * 0.5 * (1 + math.cos(math.pi * step / steps))
            # The spread of numbers is not used in a space without any.
            gradients = torch.autograd.grad(loss, list(self.parameters()), materialize_grads=True)
            self._step(gradients, rate)
        self._trained = True
        return torch.stack(losses).tolist() if losses else []

    @torch.no_grad()
    def _step(self, gradients: Sequence[Tensor], rate: float) -> None:
        for optimiser, parameter, gradient in zip(
            self._optimisers, self.parameters(), gradients, strict=True
        ):
            optimiser.rate = rate
            optimiser.step(parameter, gradient)

    @torch.no_grad()
    def sample(self, y: NDArray[np.float64] | None, n: int) -> NDArray[np.float64]:
        """Materials on the grid, (n, columns), of normal latents.

        Args:
            y: Conditions, (n, conditions); none by default.
            n: Number of materials.
        """
        z = torch.randn(n, self.settings.latents, generator=self._random)
        return self._materials(z, self._conditions(y, n))

    def _materials(self, z: Tensor, conditions: Tensor) -> NDArray[np.float64]:
        weights = self._layout.views(self._flat)
        return self.space.canonical(self.space.from_free(self._decode(z, conditions, weights)).numpy())

    @torch.no_grad()
    def diagnose(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> dict[str, object]:
        """Report on the use of the latents.

        Args:
            x: Materials, (n, columns), n > 1.
            y: Their conditions, (n, conditions).

        Returns:
            ``divergence`` from the prior of each latent in nats, largest first; number of ``active`` latents,
            whose posterior mean varies by more than 0.01 (Burda, Grosse & Salakhutdinov, ICLR 2016);
            ``reconstruction``, the mean distance in the space between materials and those decoded from their
            posterior mean, and the share that is reconstructed ``exact``.
        """
        conditions = self._conditions(y, len(x))
        weights = self._layout.views(self._flat)
        mean, log_variance = self._encode(self._features(x), conditions, weights)
        divergence = _divergence(mean, log_variance).mean(dim=0)
        decoded = self._materials(mean, conditions)
        return {
            "divergence": sorted(divergence.tolist(), reverse=True),
            "active": int((mean.var(dim=0) > ACTIVE).sum()),
            "reconstruction": float(self.space.distance(x, decoded).mean()),
            "exact": float((x == decoded).all(axis=1).mean()),
        }


class VariationalGenerator(ConditionalVAE):
    """A `ConditionalVAE` with one condition, as a `nestmat.search.generators.base.GenerativeModel`.

    Args:
        space: The materials.
        options: Sizes and training.
        seed: Seed of all random draws.
    """

    def __init__(self, space: Product, options: ConditionalVAESettings, seed: int):
        super().__init__(space, 1, options, seed)

    def fit(self, x: NDArray[np.float64], y: NDArray[np.float64], device: torch.device) -> pd.DataFrame:  # type: ignore[override]
        """Train, on the CPU: the network is small; as `GenerativeModel.fit`."""
        self.standardise(y[:, None])
        curve = super().fit(x, y[:, None], even_weights(y), self.settings.steps)
        interval = max(1, len(curve) // CURVE)
        steps = range(interval, len(curve) + 1, interval)
        means = [(step, "train", float(np.mean(curve[step - interval : step]))) for step in steps]
        return pd.DataFrame(means, columns=["step", "split", "loss"])

    def sample(self, value: float, n: int, seed: int) -> NDArray[np.float64]:  # type: ignore[override]
        """Materials (n, columns) on the grid; as `GenerativeModel.sample`."""
        self.reseed(seed)
        return super().sample(np.full((n, 1), value), n)


def _divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kullback-Leibler divergence of normal latents from standard normal ones, each, in nats."""
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance)
