"""Networks that predict many rows on a processor, without gradients.

Networks of a few dozen units are bound by memory: what a layer writes has to be in the cache when the next
one reads it. So a few thousand rows of a member go through all of its layers before others do. Linear maps in
a row become one matrix, the scaling of the inputs among them; a bias is the weight of a row of ones, which
costs no pass over the rows; activations overwrite what they read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from nestmat.models.base import Network
from nestmat.models.layers import ACTIVATIONS, AffineLayer, LayerActivation

ROWS = 2048
"""Rows that go through all layers together: two layers of 64 units and what they read fit a cache of 2 MB."""


@dataclass(frozen=True)
class InputMap:
    """How the scaled inputs of each member follow from what it reads.

    A member reads a row of ones, rows that all members share, and latents of a member of each parent. Its
    scaled inputs are the sum of matrices times these.

    Attributes:
        shared: Matrices of the ones and the shared rows, (members, inputs, 1 + rows), float64.
        latents: Matrices of the latents of each parent, (members, inputs, latents), float64.
        parents: Number of the member of each parent that a member reads, (members,).
    """

    shared: Tensor
    latents: Sequence[Tensor]
    parents: Sequence[Sequence[int]]

    @property
    def matrix(self) -> Tensor:
        """All matrices side by side."""
        return torch.cat([self.shared, *self.latents], dim=2)

    @property
    def widths(self) -> list[int]:
        """Width of each of them."""
        return [self.shared.shape[2], *(matrix.shape[2] for matrix in self.latents)]


class CompiledNetwork(Protocol):
    """Members of a scale as a function of what they read."""

    def __call__(
        self, shared: Tensor, latents: Sequence[Tensor]
    ) -> tuple[Tensor, dict[str, tuple[Tensor, Tensor]]]:
        """Latents and scaled predictions.

        Args:
            shared: A row of ones and then the shared rows, float32, (1 + shared, n).
            latents: Those of each parent, float32, (its members, its latents, n).

        Returns:
            Latents (members, latents, n), and mean and standard deviation of each scaled target, (members, n)
            each, as of `nestmat.models.base.Network.predict`.
        """


class PlainNetwork:
    """A network of any kind as a `CompiledNetwork`, by its own methods.

    Args:
        network: The network.
        inputs: What its members read.
    """

    def __init__(self, network: Network, inputs: InputMap):
        self._network, self._parents = network, inputs.parents
        self._matrix = inputs.matrix.float()

    def __call__(
        self, shared: Tensor, latents: Sequence[Tensor]
    ) -> tuple[Tensor, dict[str, tuple[Tensor, Tensor]]]:
        """See `CompiledNetwork`."""
        parents = [z[list(members)] for z, members in zip(latents, self._parents, strict=True)]
        rows = torch.cat([shared.expand(len(self._matrix), -1, -1), *parents], dim=1)
        z, _ = self._network.encode(torch.bmm(self._matrix, rows).transpose(1, 2))
        return z.transpose(1, 2), self._network.predict(z)


def compose(layers: Sequence[AffineLayer]) -> list[AffineLayer]:
    """The same map, with each layer without an activation multiplied into the next one."""
    composed = list(layers[:1])
    for layer in layers[1:]:
        if composed[-1].activation == "identity":
            product = torch.bmm(layer.weight[:, :, 1:], composed[-1].weight)
            product[:, :, 0] += layer.weight[:, :, 0]
            composed[-1] = AffineLayer(product, layer.activation)
        else:
            composed.append(layer)
    return composed


def _leave(_x: Tensor) -> None:
    pass


_OVERWRITING: dict[LayerActivation, Callable[[Tensor], object]] = {
    "identity": _leave,
    "relu": torch.relu_,
    "tanh": torch.tanh_,
    "silu": lambda x: functional.silu(x, inplace=True),
    "unit": lambda x: x.clamp_(0.0, 1.0),
}


def _overwriting(activation: LayerActivation) -> Callable[[Tensor], object]:
    """An activation that overwrites its argument."""
    return _OVERWRITING.get(activation) or (lambda x: x.copy_(ACTIVATIONS[activation](x)))


@dataclass(frozen=True)
class Workspace:
    """Memory of some rows for the layers of a member by turns, and for its latents.

    Attributes:
        layers: A row of ones, then the units of a layer, (1 + units, rows) each, for two layers by turns.
        latents: A row of ones, then the latents, (1 + latents, rows).
    """

    layers: Sequence[Tensor]
    latents: Tensor

    @classmethod
    def of(cls, units: int, latents: int, rows: int) -> Workspace:
        """Memory for layers of so many units."""
        memories = [torch.empty(1 + width, rows) for width in (units, units, latents)]
        for memory in memories:
            memory[0] = 1
        return cls(memories[:2], memories[2])

    def narrow(self, rows: int) -> Workspace:
        """The memory of the first rows."""
        return Workspace([memory[:, :rows] for memory in self.layers], self.latents[:, :rows])


class Hidden(NamedTuple):
    """Memory of the hidden layers of a perceptron.

    Attributes:
        reads: What the layer after each of them reads, (1 + units, rows), the first row ones.
        writes: Where each of them writes, (units, rows).
    """

    reads: list[Tensor]
    writes: list[Tensor]


class CompiledPerceptron:
    """A perceptron that is applied to some rows of one member after the other.

    Args:
        layers: Its layers, float64.
        widths: Widths of the parts of what the first layer reads, the ones included; one part by default.

    Attributes:
        widest: Units of the widest hidden layer; 0 without one.
    """

    def __init__(self, layers: Sequence[AffineLayer], widths: Sequence[int] = ()):
        first, *later = compose(layers)
        parts = first.weight.float().split(list(widths) or first.weight.shape[2], dim=2)
        own, *self._added = ([matrix.contiguous() for matrix in part.unbind()] for part in parts)
        self._matrices = [own, *(layer.weight.float().unbind() for layer in later)]
        self._activations = [_overwriting(layer.activation) for layer in (first, *later)]
        self._units = [layer.weight.shape[1] for layer in (first, *later)[:-1]]
        self.widest = max(self._units, default=0)

    def hidden(self, workspace: Workspace) -> Hidden:
        """Memory for the hidden layers."""
        reads = [workspace.layers[k % 2][: 1 + units] for k, units in enumerate(self._units)]
        return Hidden(reads, [memory[1:] for memory in reads])

    def __call__(
        self, member: int, x: Tensor, added: Sequence[Tensor], hidden: Hidden, output: Tensor
    ) -> None:
        """Apply the layers of a member.

        Args:
            member: Number of the member.
            x: First part of what the first layer reads, (1 + inputs, rows), the first row ones.
            added: Its other parts, (inputs, rows) each.
            hidden: Memory of the hidden layers, as of `hidden`.
            output: Where the last layer writes, (outputs, rows).
        """
        layers = zip(
            self._matrices, self._activations, [x, *hidden.reads], [*hidden.writes, output], strict=True
        )
        for matrices, activate, source, target in layers:
            torch.mm(matrices[member], source, out=target)
            if source is x:
                for part, z in zip(self._added, added, strict=True):
                    target.addmm_(part[member], z)
            activate(target)
