"""Losses of heads and penalties on latents, one value a member; rows are the last axis."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from nestmat.models.specification import LossName

LOG_VARIANCE_LIMIT = 10.0


def _weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Mean of ``values`` (members, width, n) over rows by ``weight`` (members, n) and over the width."""
    return torch.bmm(values, weight.unsqueeze(2)).mean(dim=(1, 2))


def as_shares(weights: Tensor) -> Tensor:
    """Weights (members, n) as shares that sum to 1; 0 where all of a member are 0."""
    return weights / weights.sum(dim=1, keepdim=True).clamp_min(torch.finfo(weights.dtype).tiny)


def mae(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute error; arguments (members, width, n), (members, width, n), (members, n)."""
    return _weighted_mean(functional.l1_loss(output, target, reduction="none"), weight)


def mse(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Mean squared error, shapes as in `mae`."""
    return _weighted_mean(functional.mse_loss(output, target, reduction="none"), weight)


def huber(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Huber loss with its bend at 1 (Huber 1964), shapes as in `mae`."""
    return _weighted_mean(functional.huber_loss(output, target, reduction="none"), weight)


def cross_entropy(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy of logits against classes or fractions that sum to 1, shapes as in `mae`."""
    # Summed over classes, not averaged: the mean over the width of one column is that column.
    return _weighted_mean(-(target * functional.log_softmax(output, dim=1)).sum(dim=1, keepdim=True), weight)


def binary_cross_entropy(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy of logits of class 1 against 0 and 1, shapes as in `mae`."""
    values = functional.binary_cross_entropy_with_logits(output, target, reduction="none")
    return _weighted_mean(values, weight)


def gaussian_nll(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Negative log-likelihood of a normal distribution without its constant.

    Args:
        output: Means, then log-variances: (members, 2 width, n).
        target: (members, width, n).
        weight: (members, n).
    """
    mean, log_variance = split_gaussian(output)
    return _weighted_mean(0.5 * ((target - mean) ** 2 * torch.exp(-log_variance) + log_variance), weight)


def poisson(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Negative log-likelihood of counts, without what does not depend on the output; shapes as in `mae`.

    Args:
        output: Logarithm of the mean. It and the counts may be in any unit: in units of m the loss is divided
            by m, but for a constant.
        target: Counts.
        weight: Share of each row.
    """
    values = functional.poisson_nll_loss(output, target, log_input=True, reduction="none")
    return _weighted_mean(values, weight)


def censored(name: LossName, output: Tensor, target: Tensor, weight: Tensor, at_floor: Tensor) -> Tensor:
    """Loss where a target at a floor means that the truth is there or below (Tobin 1958).

    Args:
        name: mae, mse, huber or gaussian_nll, whose arguments and shapes these are.
        output: Output of the head.
        target: What it is compared with.
        weight: Share of each row.
        at_floor: 1 where the target is the floor, else 0, shaped as the target.
    """
    if name != "gaussian_nll":
        return LOSSES[name](torch.where(at_floor > 0, output.maximum(target), output), target, weight)
    mean, log_variance = split_gaussian(output)
    standardised = (target - mean) * torch.exp(-0.5 * log_variance)
    return _weighted_mean(
        torch.where(
            at_floor > 0, -torch.special.log_ndtr(standardised), 0.5 * (standardised**2 + log_variance)
        ),
        weight,
    )


def split_gaussian(output: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and bounded log-variance of a Gaussian head's output, each half as wide."""
    mean, raw = output.chunk(2, dim=1)
    # Bounded smoothly: a variance that runs off to zero or infinity stops the training of its member.
    return mean, LOG_VARIANCE_LIMIT * torch.tanh(raw / LOG_VARIANCE_LIMIT)


LOSSES: dict[LossName, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "mae": mae,
    "mse": mse,
    "huber": huber,
    "cross_entropy": cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "gaussian_nll": gaussian_nll,
    "poisson": poisson,
}


def adjusted_correlation(values: Tensor, weight: Tensor) -> Tensor:
    """Absolute Pearson correlation beyond its standard error, for every pair of columns.

    rho_adj = max(0, (|rho| - se) / (1 - se)) with se = 1 / sqrt(n - 3), n the rows with weight
    (Hase et al., Gryffin, Appl. Phys. Rev. 2021, as used by NestedAE).

    Args:
        values: (members, columns, n).
        weight: (members, n), sums to 1.

    Returns:
        (members, columns, columns), 1 on the diagonal of columns that vary.
    """
    centred = values - torch.bmm(values, weight.unsqueeze(2))
    covariance = torch.bmm(centred * weight.unsqueeze(1), centred.transpose(1, 2))
    deviation = covariance.diagonal(dim1=1, dim2=2).clamp_min(1e-12).sqrt()
    rho = covariance / (deviation.unsqueeze(1) * deviation.unsqueeze(2))
    error = ((weight > 0).sum(dim=1).to(values.dtype) - 3).clamp_min(1.5).rsqrt()[:, None, None]
    return ((rho.abs() - error) / (1 - error)).clamp(0.0, 1.0)


def latent_correlations(latents: Tensor, targets: Tensor | None, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Both correlation terms of NestedAE.

    Args:
        latents: (members, latents, n).
        targets: (members, t, n), or None where the model has no target.
        weight: (members, n), sums to 1.

    Returns:
        latent_target_correlation, the mean over the first t latents of 1 - rho_adj(z_i, y_i) (the source has
        t = 1), and latent_decorrelation, the mean over pairs of latents of sin^2(pi/2 rho_adj(z_i, z_j));
        (members,) each.
    """
    width = latents.shape[1]
    count = 0 if targets is None else min(width, targets.shape[1])
    values = latents if targets is None else torch.cat([latents, targets[:, :count]], dim=1)
    rho = adjusted_correlation(values, weight)
    followed = 1 - rho[:, :count, width : width + count].diagonal(dim1=1, dim2=2)
    target_term = followed.mean(dim=1) if count else rho.new_zeros(len(rho))
    above = torch.triu_indices(width, width, offset=1, device=rho.device)
    if not above.shape[1]:
        return target_term, rho.new_zeros(len(rho))
    pairs = rho[:, above[0], above[1]]
    return target_term, (torch.sin(math.pi / 2 * pairs) ** 2).mean(dim=1)


_SCALES = (0.02, 0.1, 0.5)
"""Widths of kernels of latents, as shares of the mean squared distance of rows."""


def _whitened(values: Tensor, weight: Tensor) -> Tensor:
    """Columns (members, columns, n) made uncorrelated and of unit variance, but for a thousandth of it."""
    centred = values - torch.bmm(values, weight.unsqueeze(2))
    covariance = torch.bmm(centred * weight.unsqueeze(1), centred.transpose(1, 2))
    mean = covariance.diagonal(dim1=1, dim2=2).mean(dim=1).clamp_min(1e-12)
    ridge = torch.eye(values.shape[1], dtype=values.dtype, device=values.device) * mean[:, None, None]
    # A member without rows has weights of NaN, and no root: its loss is NaN, that of others is not.
    root = torch.linalg.cholesky_ex(covariance + 1e-3 * ridge)[0]
    return torch.linalg.solve_triangular(root, centred, upper=False)


def dependence(latents: Tensor, targets: Tensor, weight: Tensor) -> Tensor:
    """How far latents depend on targets, near 0 where many rows show that they do not, one value a member.

    The Hilbert-Schmidt independence criterion (Gretton et al., ALT 2005), divided by that of the targets with
    themselves: with one target of two classes a squared maximum mean discrepancy between these. The kernel of
    the latents is a mean of inverse multiquadrics, so that near neighbours count as well as far ones. They
    are whitened before: else the dependence could hide in directions of small variance, next to one that is
    made large. The kernel of the targets is Gaussian, of width 1; it has no slope, so that the latents alone
    are moved. Targets that do not vary leave nothing to depend on: 0.

    Args:
        latents: (members, columns, n).
        targets: (members, targets, n).
        weight: (members, n), sums to 1.
    """

    def squared(values: Tensor) -> Tensor:
        square = values.square().sum(dim=1)
        return torch.baddbmm(square[:, :, None] + square[:, None], values.transpose(1, 2), values, alpha=-2)

    pairs = weight[:, :, None] * weight[:, None]
    target_kernel = torch.exp(-0.5 * squared(targets))
    target_mean = torch.bmm(target_kernel, weight.unsqueeze(2))
    target_kernel = (
        target_kernel
        - target_mean
        - target_mean.transpose(1, 2)
        + torch.bmm(weight.unsqueeze(1), target_mean)
    )
    target_dependence = (pairs * target_kernel.square()).sum(dim=(1, 2))
    # What is left of targets that do not vary is rounding.
    target_kernel = torch.where(
        (target_dependence > 1e-9)[:, None, None],
        target_kernel / target_dependence.clamp_min(1e-9)[:, None, None],
        0.0,
    )
    # Where one of two kernels is centred, the other need not be. The mean squared distance of pairs follows
    # from the variances.
    latents = _whitened(latents, weight)
    mean_square_distance = 2 * torch.bmm(latents.square(), weight.unsqueeze(2)).sum(dim=1, keepdim=True)
    distance, share = squared(latents), (pairs * target_kernel).detach()
    total = latents.new_zeros(len(latents))
    for scale in _SCALES:
        width = scale * mean_square_distance.clamp_min(1e-12)
        total = total + (share * (width / (width + distance))).sum(dim=(1, 2))
    return total / len(_SCALES)
