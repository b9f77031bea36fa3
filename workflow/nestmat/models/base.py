"""What a scale's model is to the trainer, and the batches it is fed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Rows of every member at one step.

    Attributes:
        inputs: Scaled inputs of the encoder, (members, n, features).
        targets: What each head is compared with, (members, n, width), by head.
        weight: Share of each row in the loss, (members, n); sums to 1 over the rows, 0 on padding.
        noise: Source of dropout masks; None switches dropout off.
    """

    inputs: Tensor
    targets: Mapping[str, Tensor]
    weight: Tensor
    noise: Noise | None = None


class ScaleModel(Protocol):
    """A model of one scale with its members as the leading axis of every tensor, in float32.

    Attributes:
        flat: All trained parameters, (members, parameters); the trainer steps this one tensor.
        term_weights: Weight of each term that `loss` returns.
        selection_terms: Terms whose weighted sum decides early stopping.
    """

    flat: Tensor
    term_weights: dict[str, float]
    selection_terms: tuple[str, ...]

    def encode(self, x: Any) -> tuple[Tensor, Tensor | None]:
        """Latents' mean and log standard deviation (None if exact), each (members, n, latents)."""

    def decode(self, z: Tensor) -> dict[str, Tensor]:
        """Blocks that the latents stand for, (members, n, width) each."""

    def predict(self, z: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """Mean and standard deviation of each scaled target, (members, n) each; NaN where none is stated."""

    def loss(self, batch: Any) -> dict[str, Tensor]:
        """Unweighted loss terms, (members,) each."""


def _mix(x: Tensor) -> Tensor:
    """Scramble int32 counters in place (the 32-bit finaliser `lowbias32` of C. Wellons' hash prospector)."""

    def fold(shift: int) -> Tensor:
        # torch shifts arithmetically: the mask takes the copies of the sign away.
        return x.bitwise_xor_((x >> shift).bitwise_and_((1 << (32 - shift)) - 1))

    fold(16).mul_(0x7FEB352D)
    fold(15).mul_(0x846CA68B - 2**32)
    return fold(16)


class Noise:
    """Reproducible random numbers that are a function of the member, the step and the place alone.

    A stateful generator would make a member's dropout depend on which members are trained beside it, and
    on the device. Hashing counters does not.

    Args:
        keys: One int32 key a member, (members,).
        step: Number of the optimisation step, or of the epoch.
    """

    def __init__(self, keys: Tensor, step: int):
        self.keys, self.step = keys, step
        self._calls = 0

    def bits(self, rows: int, width: int) -> Tensor:
        """Uniform int32 numbers, (members, rows, width); each call gives fresh ones."""
        self._calls += 1
        salt = torch.full_like(self.keys, self.step).mul_(64).add_(self._calls)
        keys = _mix(_mix(salt).add_(self.keys))
        places = torch.arange(rows * width, dtype=torch.int32, device=keys.device)
        return _mix((_mix(places) + keys[:, None]).view(len(keys), rows, width))

    def dropout(self, x: Tensor, share: float) -> Tensor:
        """Drop a share of ``x`` (members, n, width) and scale the rest so that the mean stays."""
        threshold = round(2**31 * (2 * share - 1))
        kept = self.bits(x.shape[1], x.shape[2]) >= threshold
        return x * kept.to(x.dtype).div_(1 - share)
