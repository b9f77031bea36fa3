"""Random numbers that are a function of the member, the epoch and the place alone."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor


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

    A stateful generator would make a member's numbers depend on which members are trained with it, and on
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
            # Half a step inside, within the precision of float32: the ends have no quantile.
            uniform = bits.float().add_(0.5).mul_(2.0**-31).clamp_(-1 + 1e-6, 1 - 1e-6)
            return torch.erfinv(uniform).mul_(math.sqrt(2))

        return self._next(quantile, width)

    def _next(self, of: Callable[[Tensor], Tensor], width: int) -> Tensor:
        if self._calls == len(self._drawn):
            self._drawn.append(of(random_bits(self.keys, self.epoch, self._calls + 1, width, self.rows)))
        self._calls += 1
        return self._drawn[self._calls - 1][..., self.window]
