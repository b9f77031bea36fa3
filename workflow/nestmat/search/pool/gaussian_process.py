"""Gaussian processes of many searches side by side.

Own code: scikit-learn fits one process at a time, and gpytorch, which has batches of them, is no dependency
of nestmat. Here the processes of some hundred searches are fitted and evaluated together, as batched
matrices.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

ADAM_STEPS = 100


ADAM_RATE = 0.1


SMALLEST_NOISE = 1e-4
"""Smallest variance of the noise."""


class Hyperparameters(NamedTuple):
    """Hyperparameters of several processes side by side, (b,) each.

    Attributes:
        mean: Constant mean.
        variance: Variance of the function.
        length: Length scale, one for all inputs.
        noise: Variance of the noise.
    """

    mean: Tensor
    variance: Tensor
    length: Tensor
    noise: Tensor

    @classmethod
    def of(cls, free: Tensor) -> Hyperparameters:
        """Hyperparameters of unconstrained reals (4, b); zeros are those of an untrained process."""
        mean, variance, length, noise = free
        return cls(mean, softplus(variance), softplus(length), softplus(noise) + SMALLEST_NOISE)

    def covariance(self, distance: Tensor) -> Tensor:
        """Matern 5/2 of distances (b, m, n); Rasmussen and Williams (2006), equation 4.17."""
        r = 5**0.5 * distance / self.length[:, None, None]
        return self.variance[:, None, None] * (1 + r + r.square() / 3) * torch.exp(-r)

    def cholesky(self, distance: Tensor) -> Tensor:
        """Factor of the covariance of labels at distances (b, n, n), noise included."""
        noise = self.noise[:, None, None] * torch.eye(distance.shape[1], dtype=distance.dtype)
        return torch.linalg.cholesky(self.covariance(distance) + noise)


def log_likelihood(hyper: Hyperparameters, distance: Tensor, y: Tensor) -> Tensor:
    """Marginal likelihood of labels; Rasmussen and Williams (2006), equation 2.30.

    Args:
        hyper: Hyperparameters.
        distance: Distances between the labelled rows, (b, n, n).
        y: Labels, (b, n).

    Returns:
        Its logarithm, (b,).
    """
    factor = hyper.cholesky(distance)
    whitened = torch.linalg.solve_triangular(factor, (y - hyper.mean[:, None])[..., None], upper=False)
    determinant = factor.diagonal(dim1=1, dim2=2).log().sum(dim=1)
    return -0.5 * whitened.square().sum(dim=(1, 2)) - determinant - 0.5 * y.shape[1] * np.log(2 * np.pi)


@torch.enable_grad()
def fit(distance: Tensor, y: Tensor, standardise: bool = True) -> Hyperparameters:
    """Hyperparameters that `ADAM_STEPS` steps of Adam on the marginal likelihood reach from untrained ones.

    Args:
        distance: Distances between the labelled rows, (b, n, n).
        y: Labels, (b, n).
        standardise: Whether to fit to standardised labels; the result is in the unit of ``y``.
    """
    offset, scale = torch.zeros_like(y[:, 0]), torch.ones_like(y[:, 0])
    if standardise:
        offset, scale = y.mean(dim=1), y.std(dim=1, unbiased=False)
        scale = torch.where(scale > 0, scale, 1.0)
    target = (y - offset[:, None]) / scale[:, None]
    free = torch.zeros(4, len(y), dtype=y.dtype, requires_grad=True)
    optimiser = torch.optim.Adam([free], lr=ADAM_RATE)
    for _ in range(ADAM_STEPS):
        loss = -log_likelihood(Hyperparameters.of(free), distance, target).sum() / y.shape[1]
        [free.grad] = torch.autograd.grad(loss, free)
        optimiser.step()
    mean, variance, length, noise = Hyperparameters.of(free.detach())
    return Hyperparameters(offset + scale * mean, scale**2 * variance, length, scale**2 * noise)


def posterior(hyper: Hyperparameters, distance: Tensor, y: Tensor, cross: Tensor) -> tuple[Tensor, Tensor]:
    """Prediction of processes for rows, without noise; Rasmussen and Williams (2006), algorithm 2.1.

    Args:
        hyper: Hyperparameters.
        distance: Distances between the labelled rows, (b, n, n).
        y: Their labels, (b, n).
        cross: Distances from them to the predicted rows, (b, n, m).

    Returns:
        Mean and standard deviation, (b, m) each.
    """
    factor, covariance = hyper.cholesky(distance), hyper.covariance(cross)
    weights = torch.cholesky_solve((y - hyper.mean[:, None])[..., None], factor)
    mean = hyper.mean[:, None] + (covariance * weights).sum(dim=1)
    reduced = torch.linalg.solve_triangular(factor, covariance, upper=False)
    variance = hyper.variance[:, None] - reduced.square().sum(dim=1)
    return mean, variance.clamp_min(1e-12).sqrt()
