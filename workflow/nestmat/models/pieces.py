"""Piecewise-linear encoding of inputs, so that a perceptron tells ranges of a number apart as trees do.

Each input becomes one number a piece of its range: it has one value below the piece, another above it, and is
linear inside (Gorishniy et al., NeurIPS 35 (2022), there with the quantiles of each input as edges). Before,
an input is bounded smoothly, so that outliers stay apart but do not rule (Holzmueller et al., NeurIPS 37
(2024)). Edges and scales are those of a standard normal variable, whatever the input: the encoding is a few
layers like others, and nothing of it is fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import torch
from torch import Tensor

LIMIT = 3.0
"""Bound of scaled inputs."""
_QUANTILES = 4000


def bound(x: Tensor) -> Tensor:
    """The argument where it is small, and `LIMIT` in the limit of a large one.

    Example:
        >>> bound(torch.tensor([0.0, 0.1, 4.0, 1e6])).numpy().round(2)
        array([0. , 0.1, 2.4, 3. ], dtype=float32)
    """
    return x * torch.rsqrt(1 + (x / LIMIT).square())


def piece_edges(count: int) -> list[float]:
    """Edges of so many pieces, in ascending order: quantiles of a standard normal variable inside.

    Args:
        count: Number of pieces.

    Example:
        >>> [round(edge, 2) for edge in piece_edges(4)]
        [-3.0, -0.67, 0.0, 0.67, 3.0]
    """
    normal = NormalDist()
    return [-LIMIT, *(normal.inv_cdf(k / count) for k in range(1, count)), LIMIT]


def _standard_scales(edges: Tensor) -> tuple[Tensor, Tensor]:
    """What gives the share of each piece that a bounded normal variable has passed mean 0 and deviation 1."""
    shares = (torch.arange(_QUANTILES, dtype=torch.float64) + 0.5) / _QUANTILES
    values = bound(torch.special.ndtri(shares))[:, None]
    passed = ((values - edges[:-1]) / edges.diff()).clamp(0.0, 1.0)
    scale = 1 / passed.std(dim=0, correction=0)
    return scale, -passed.mean(dim=0) * scale


class Pieces:
    """The encoding of inputs.

    Args:
        counts: Number of pieces of each input; one of one piece is bounded alone.

    Attributes:
        width: Width of the encoding: the pieces of the first input, then those of others.
        source: Input of each number of the encoding, (width,).
    """

    def __init__(self, counts: Sequence[int]):
        self.inputs, self.width = len(counts), sum(counts)
        self.source = torch.repeat_interleave(torch.tensor(counts))
        by_count = {count: self._piece(count) for count in set(counts)}
        columns = torch.cat([by_count[count] for count in counts], dim=1) if counts else torch.empty(4, 0)
        self._slope, self._start, self._scale, self._shift = columns.unbind()

    @staticmethod
    def _piece(count: int) -> Tensor:
        """Slope and value at 0 inside each piece, and scale and shift afterwards, (4, count)."""
        edges = torch.tensor(piece_edges(count), dtype=torch.float64)
        slope = 1 / edges.diff()
        if count == 1:
            scale, shift = 1 / slope, -LIMIT * torch.ones(1, dtype=torch.float64)
        else:
            scale, shift = _standard_scales(edges)
        return torch.stack([slope, -edges[:-1] * slope, scale, shift])

    def __call__(self, x: Tensor) -> Tensor:
        """Encoding (members, width, n) of scaled inputs (members, inputs, n)."""
        slope, start, scale, shift = (
            part.to(x)[:, None] for part in (self._slope, self._start, self._scale, self._shift)
        )
        bounded = bound(x)[:, self.source.to(x.device)]
        return (bounded * slope + start).clamp(0.0, 1.0) * scale + shift

    def matrices(self, members: int) -> tuple[Tensor, Tensor, Tensor]:
        """The encoding as three layers: what is bounded, what is limited to 0 to 1, and what is kept.

        Args:
            members: Number of members, which are alike.

        Returns:
            Biases and then weights of each, (members, outputs, 1 + inputs), float64.
        """
        inputs = torch.eye(self.inputs, dtype=torch.float64)
        passed = self._slope[:, None] * inputs[self.source]
        layers = (
            (inputs.new_zeros(self.inputs), inputs),
            (self._start, passed),
            (self._shift, torch.diag(self._scale)),
        )
        first, second, third = (
            torch.cat([bias[:, None], matrix], dim=1).expand(members, -1, -1) for bias, matrix in layers
        )
        return first, second, third
