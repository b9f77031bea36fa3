"""An invertible network from numbers to targets and normal latents, trained both ways."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nestmat.models.density_settings import InvertibleSettings
from nestmat.models.flow import coupling_flow

FORWARD_KERNELS = ((0.2, 2.0), (1.5, 2.0), (3.0, 2.0))
BACKWARD_KERNELS = ((0.2, 0.1), (0.2, 0.5), (0.2, 2.0))
"""Widths and exponents of the kernels of MatDesINNe (Fung et al. 2021), for outputs and for inputs."""


def discrepancy(a: Tensor, b: Tensor, kernels: Sequence[tuple[float, float]]) -> Tensor:
    """Squared maximum mean discrepancy of two samples, (), by inverse multiquadratic kernels.

    k(x, y) = sum over widths C and exponents e of (C e / (C + |x - y|^2))^e, as in the code of
    Ardizzone et al. (ICLR 2019); the biased estimate of Gretton et al., J. Mach. Learn. Res. 13 (2012).

    Args:
        a: (n, width).
        b: (m, width).
        kernels: Width and exponent of each kernel.
    """
    total = a.new_zeros(())
    for first, second, sign in ((a, a, 1.0), (b, b, 1.0), (a, b, -2.0)):
        square = (
            first.square().sum(dim=1)[:, None] + second.square().sum(dim=1)[None] - 2 * first @ second.T
        ).clamp_min(0.0)
        for width, exponent in kernels:
            kernel = (width * exponent / (width + square)) ** exponent
            total = total + sign * kernel.mean()
    return total


class Invertible(nn.Module):
    """Numbers x become targets y and latents z, as many together; latents become normal for every y.

    The invertible neural network of Ardizzone et al., ICLR 2019 (arXiv:1808.04730), without padding.

    Args:
        features: Numbers, more than there are targets.
        conditions: Targets.
        settings: Sizes and weights.
        seed: Seed of halves and first weights.
    """

    def __init__(self, features: int, conditions: int, settings: InvertibleSettings, seed: int):
        super().__init__()
        self.features, self.settings = features, settings
        self.flow = coupling_flow(features, 0, settings, seed)

    def loss(self, x: Tensor, y: Tensor, random: torch.Generator) -> Tensor:
        """Weighted sum of the three losses for numbers (n, features) and targets (n, conditions)."""
        settings, width = self.settings, y.shape[1]
        transform = self.flow().transform
        predicted = transform(x)
        noise = torch.randn(len(x), self.features - width, generator=random).to(x)
        target = torch.cat([y, noise], dim=1)
        fit = (predicted[:, :width] - y).square().mean()
        # Targets have their own loss: here they only mark which latents belong to them.
        output = torch.cat([predicted[:, :width].detach(), predicted[:, width:]], dim=1)
        forward = discrepancy(output, target, FORWARD_KERNELS)
        backward = discrepancy(transform.inv(target), x, BACKWARD_KERNELS)
        return settings.fit * fit + settings.forward * forward + settings.backward * backward

    def sample(self, y: Tensor, random: torch.Generator) -> Tensor:
        """Numbers (n, features) for targets (n, conditions)."""
        noise = torch.randn(len(y), self.features - y.shape[1], generator=random).to(y)
        return self.flow().transform.inv(torch.cat([y, noise], dim=1))
