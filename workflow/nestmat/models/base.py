"""What a scale's model is to the trainer, and the batches it is fed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor


def at_floor(head: str) -> str:
    """Name under which a batch tells which targets of a head are at its floor."""
    return f"{head} at its floor"


def is_known(head: str) -> str:
    """Name under which a batch tells of which rows the target of a head is known."""
    return f"{head} is known"


@dataclass(frozen=True)
class Batch:
    """Rows of every member at one step, with the rows as last axis.

    Widths here are a few columns, rows hundreds: products and sums along contiguous rows are several times
    faster than along contiguous columns.

    Attributes:
        inputs: Scaled inputs of the encoder, (members, features, n).
        targets: What each head is compared with, (members, width, n), by head; where a head has a floor, also
            whether the target is there, by `at_floor` of its name; in a semi-supervised model, where labels
            are hidden, also whether it is known, by `is_known` of its name: where not, it is 0 or what a
            teacher says.
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


def random_bits(keys: Tensor, epoch: int, stream: int, width: int, rows: int) -> Tensor:
    """Uniform int32 numbers that are a function of the member, the epoch and the place alone.

    A stateful generator would make a member's numbers depend on which members are trained beside it, and on
    the device. Hashing counters does not.

    Args:
        keys: Key of each member, (members,), int32.
        epoch: Number of the epoch.
        stream: Number of the use within the epoch.
        width: Columns.
        rows: Rows; more of them leave the numbers of the first ones as they are.

    Returns:
        (members, width, rows).
    """
    salted = _mix(_mix(torch.full_like(keys, epoch).mul_(64).add_(stream)).add_(keys))
    across = torch.arange(width, dtype=torch.int32, device=keys.device)
    along = torch.arange(0, rows * width, width, dtype=torch.int32, device=keys.device)
    return _mix(_mix(across[:, None] + along) + salted[:, None, None])


class Noise:
    """Random numbers of one epoch, drawn once for all its rows: dropout masks, normal numbers.

    Args:
        keys: Key of each member, (members,), int32.
        epoch: Number of the epoch.
        rows: Rows of the epoch.
    """

    def __init__(self, keys: Tensor, epoch: int, rows: int):
        self.keys, self.epoch, self.rows = keys, epoch, rows
        self.window = slice(0, rows)
        self._drawn: list[Tensor] = []
        self._calls = 0

    def at(self, window: slice) -> Noise:
        """The numbers of some rows, for one step; the draws are shared."""
        step = Noise(self.keys, self.epoch, self.rows)
        step.window, step._drawn = window, self._drawn
        return step

    def dropout(self, x: Tensor, share: float) -> Tensor:
        """Drop a share of ``x`` (members, width, n) and scale the rest so that the mean stays."""

        def mask(bits: Tensor) -> Tensor:
            return (bits >= round(2**31 * (2 * share - 1))).to(x.dtype).div_(1 - share)

        return x * self._next(mask, x.shape[1])

    def normal(self, width: int) -> Tensor:
        """Standard normal numbers, (members, width, n)."""

        def quantile(bits: Tensor) -> Tensor:
            # Half a step inside, as far as float32 can tell: the ends have no quantile.
            uniform = bits.float().add_(0.5).mul_(2.0**-31).clamp_(-1 + 1e-6, 1 - 1e-6)
            return torch.erfinv(uniform).mul_(math.sqrt(2))

        return self._next(quantile, width)

    def _next(self, of: Callable[[Tensor], Tensor], width: int) -> Tensor:
        if self._calls == len(self._drawn):
            self._drawn.append(of(random_bits(self.keys, self.epoch, self._calls + 1, width, self.rows)))
        self._calls += 1
        return self._drawn[self._calls - 1][..., self.window]
