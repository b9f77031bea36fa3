"""Perceptrons whose weights carry the members as leading axis, kept in one flat buffer a member."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from nestmat.models.noise import Noise
from nestmat.models.pieces import Pieces, bound
from nestmat.models.specification import Activation

LayerActivation = Activation | Literal["bound", "unit"]
"""An activation, or the smooth bound and the limits 0 and 1 of an encoding in pieces."""


def _atanh(x: Tensor) -> Tensor:
    # NestedAE's loading scripts apply it to unbounded values: outside the open interval it is not finite.
    return torch.atanh(x.clamp(-1 + 1e-6, 1 - 1e-6))


ACTIVATIONS: dict[LayerActivation, Callable[[Tensor], Tensor]] = {
    "identity": lambda x: x,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "silu": functional.silu,
    "gelu": functional.gelu,
    "softplus": functional.softplus,
    "atanh": _atanh,
    "bound": bound,
    "unit": lambda x: x.clamp(0.0, 1.0),
}
# Where the gradient needs the output alone, a hidden layer overwrites its input: a pass over memory less.
_IN_PLACE: dict[Activation, Callable[[Tensor], Tensor]] = {"relu": torch.relu_, "tanh": torch.tanh_}


@dataclass(frozen=True)
class _Slot:
    shape: tuple[int, int]
    groups: tuple[int, ...]  # rows of the matrix that share a standard deviation
    std: tuple[float, ...]  # of each group; 0 leaves zeros
    uniform: bool = False  # whether std is the half width of a uniform distribution instead


class Layout:
    """Names, shapes and first values of the parameters inside the flat buffer of a member."""

    def __init__(self, initialisation: str = "xavier") -> None:
        self.initialisation = initialisation
        self.slots: dict[str, _Slot] = {}

    @property
    def size(self) -> int:
        """Parameters a member."""
        return sum(math.prod(slot.shape) for slot in self.slots.values())

    def linear(
        self, name: str, inputs: int, outputs: Sequence[int], gains: Sequence[float], bias_range: float = 0.0
    ) -> None:
        """Reserve a linear layer: several of them side by side where ``outputs`` has more than one width.

        Normal weights, for each of them by its own fan: Xavier (Glorot & Bengio 2010) or LeCun (1998).
        """
        lecun = self.initialisation == "lecun"
        stds = tuple(
            gain * math.sqrt(1 / inputs if lecun else 2 / (inputs + width))
            for width, gain in zip(outputs, gains, strict=True)
        )
        self.slots[f"{name}.weight"] = _Slot((sum(outputs), inputs), tuple(outputs), stds)
        self.slots[f"{name}.bias"] = _Slot((sum(outputs), 1), (sum(outputs),), (bias_range,), uniform=True)

    def initial(self, seeds: Sequence[int]) -> Tensor:
        """First values, (members, size): each member from its own generator, independent of the others."""
        rows = []
        for seed in seeds:
            generator = torch.Generator().manual_seed(int(seed))
            parts = []
            for slot in self.slots.values():
                for width, std in zip(slot.groups, slot.std, strict=True):
                    shape = (width * slot.shape[1],)
                    if not std:
                        parts.append(torch.zeros(shape))
                    elif slot.uniform:
                        parts.append((2 * torch.rand(shape, generator=generator) - 1) * std)
                    else:
                        parts.append(torch.randn(shape, generator=generator) * std)
            rows.append(torch.cat(parts))
        return torch.stack(rows) if rows else torch.empty(0, self.size)

    def views(self, flat: Tensor) -> dict[str, Tensor]:
        """The parameters by name, (members, outputs, inputs) and (members, outputs, 1), without copying.

        One split, so that the gradient comes back in one concatenation.
        """
        sizes = [math.prod(slot.shape) for slot in self.slots.values()]
        parts = flat.split(sizes, dim=1)
        return {
            name: part.view(len(flat), *slot.shape)
            for (name, slot), part in zip(self.slots.items(), parts, strict=True)
        }

    def gather(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """Inverse of `views`: (members, size)."""
        return torch.cat([tensors[name].flatten(1) for name in self.slots], dim=1)


@dataclass(frozen=True)
class Output:
    """One of the perceptrons of a `Perceptrons`: its output's width and activation, and its gains."""

    width: int
    activation: Activation = "identity"
    gain: float = 1.0
    output_gain: float = 1.0


class AffineLayer(NamedTuple):
    """A layer as one matrix.

    Attributes:
        weight: Biases and then weights, (members, outputs, 1 + inputs), float64.
        activation: What its outputs go through.
    """

    weight: Tensor
    activation: LayerActivation


class Perceptrons:
    """Perceptrons with equal hidden layers that read the same input, evaluated side by side.

    The first layer of all of them is one product; members and perceptrons share no weights.

    Args:
        layout: Where the parameters are reserved.
        name: Prefix of their names.
        inputs: Width of the input.
        hidden: Width of each hidden layer.
        outputs: The perceptrons by name.
        activation: Of the hidden layers.
        dropout: Share of hidden units dropped while training.
        bias_range: Half width of the first biases of the first layer.
        pieces: Number of pieces of the range of each input, see `nestmat.models.pieces.Pieces`; none for the
            inputs as they are.
    """

    def __init__(
        self,
        layout: Layout,
        name: str,
        inputs: int,
        hidden: Sequence[int],
        outputs: Mapping[str, Output],
        activation: Activation = "identity",
        dropout: float = 0.0,
        bias_range: float = 0.0,
        pieces: Sequence[int] = (),
    ):
        self.name, self.outputs, self.dropout = name, dict(outputs), dropout
        self.pieces = Pieces(pieces) if pieces else None
        inputs = self.pieces.width if self.pieces else inputs
        self.hidden_activation = activation
        self.activation = _IN_PLACE.get(activation, ACTIVATIONS[activation])
        self.depth = len(hidden)
        self.composed = activation == "identity" and not dropout and len(outputs) == 1 and self.depth > 0
        last = [output.gain * output.output_gain for output in outputs.values()]
        gains = [output.gain for output in outputs.values()] if hidden else last
        ends = [output.width for output in outputs.values()]
        self.widths = [hidden[0]] * len(ends) if hidden else ends
        layout.linear(f"{name}.0", inputs, self.widths, gains, bias_range)
        for depth in range(1, self.depth + 1):
            for (key, output), end, gain in zip(outputs.items(), ends, last, strict=True):
                if depth < self.depth:
                    end, gain = hidden[depth], output.gain
                layout.linear(f"{name}.{depth}.{key}", hidden[depth - 1], [end], [gain])

    def __call__(self, x: Tensor, weights: Mapping[str, Tensor], noise: Noise | None) -> dict[str, Tensor]:
        """Outputs by name, (members, width, n) each, of ``x`` (members, inputs, n)."""
        if self.pieces:
            x = self.pieces(x)
        if self.composed:
            return self._compose(x, weights)
        first = _linear(weights, f"{self.name}.0", x)
        if self.depth:
            first = self._hide(first, noise)
        parts = first.split(self.widths, dim=1) if len(self.widths) > 1 else (first,)
        outputs = {}
        for (key, output), hidden in zip(self.outputs.items(), parts, strict=True):
            for depth in range(1, self.depth + 1):
                hidden = _linear(weights, f"{self.name}.{depth}.{key}", hidden)
                if depth < self.depth:
                    hidden = self._hide(hidden, noise)
            outputs[key] = ACTIVATIONS[output.activation](hidden)
        return outputs

    def affine_layers(self, key: str, weights: Mapping[str, Tensor]) -> list[AffineLayer]:
        """Layers of one of the perceptrons, from the input to its output.

        Args:
            key: Name of its output.
            weights: As of `__call__`.
        """
        place = list(self.outputs).index(key)
        start = sum(self.widths[:place])
        layers = []
        if self.pieces:
            matrices = self.pieces.matrices(len(weights[f"{self.name}.0.weight"]))
            activations: tuple[LayerActivation, ...] = ("bound", "unit", "identity")
            layers += [AffineLayer(*layer) for layer in zip(matrices, activations, strict=True)]
        for depth in range(self.depth + 1):
            name = f"{self.name}.{depth}.{key}" if depth else f"{self.name}.0"
            matrix = torch.cat([weights[f"{name}.bias"], weights[f"{name}.weight"]], dim=2).double()
            matrix = matrix if depth else matrix[:, start : start + self.widths[place]]
            is_last = depth == self.depth
            activation = self.outputs[key].activation if is_last else self.hidden_activation
            layers.append(AffineLayer(matrix, activation))
        return layers

    def _hide(self, x: Tensor, noise: Noise | None) -> Tensor:
        x = self.activation(x)
        return noise.dropout(x, self.dropout) if noise is not None and self.dropout else x

    def _compose(self, x: Tensor, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        # Linear layers in a row are one linear map: multiplying the matrices spares a pass over the rows.
        ((key, output),) = self.outputs.items()
        weight, bias = weights[f"{self.name}.0.weight"], weights[f"{self.name}.0.bias"]
        for depth in range(1, self.depth + 1):
            name = f"{self.name}.{depth}.{key}"
            bias = _linear(weights, name, bias)
            weight = torch.bmm(weights[f"{name}.weight"], weight)
        return {key: ACTIVATIONS[output.activation](torch.baddbmm(bias, weight, x))}


def _linear(weights: Mapping[str, Tensor], name: str, x: Tensor) -> Tensor:
    return torch.baddbmm(weights[f"{name}.bias"], weights[f"{name}.weight"], x)
