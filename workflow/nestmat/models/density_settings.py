"""Options of networks that learn densities, apart from the networks, which need torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class FlowSettings:
    """What a `ConditionalFlow` is made of.

    Attributes:
        transform: affine: a number is scaled and shifted (Dinh, Sohl-Dickstein & Bengio, ICLR 2017);
            spline: it goes through a monotonic rational-quadratic spline (Durkan et al., NeurIPS 2019).
        blocks: Blocks of two couplings: of one half of the numbers given the other, then the reverse.
        width: Width of the hidden layers of the network of a coupling.
        layers: Their number.
        bins: spline: its bins.
        clamp: affine: largest logarithm of a scale.
    """

    transform: Literal["affine", "spline"] = "spline"
    blocks: int = 3
    width: int = 128
    layers: int = 2
    bins: int = 8
    clamp: float = 2.0


@dataclass(frozen=True)
class InvertibleSettings(FlowSettings):
    """What an `Invertible` is made of and what it is trained for.

    Attributes:
        fit: Weight of the squared error of the targets.
        forward: Weight of the discrepancy of targets and latents.
        backward: Weight of the discrepancy of numbers that are made.
    """

    fit: float = 1.0
    forward: float = 1.0
    backward: float = 1.0


@dataclass(frozen=True)
class MixtureSettings:
    """What a `MixtureDensity` is made of.

    Attributes:
        components: Normal distributions of the mixture.
        width: Width of the hidden layers.
        layers: Their number.
    """

    components: int = 20
    width: int = 128
    layers: int = 2
