"""Features of the materials of a design space: vectorised, differentiable, without a formula in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor


class Derived(NamedTuple):
    """Features that are a function of some numbers.

    Attributes:
        columns: Names of the features.
        numbers: Columns of the design space that they follow from; None for all of them.
        function: The features (n, columns) of these numbers (n, numbers), differentiable.
    """

    columns: tuple[str, ...]
    numbers: tuple[str, ...] | None
    function: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class FeatureMap:
    """How features follow from the numbers of a material.

    Most features are weighted sums: shares times properties of pure species, or a number as it is. Others are
    functions of several numbers.

    Attributes:
        numbers: Columns of the design space.
        weights: Weight of each number by feature; those left out are 0. In the order of the features, derived
            ones among them without weights.
        derived: Features that are functions of numbers.
    """

    numbers: tuple[str, ...]
    weights: Mapping[str, Mapping[str, float]]
    derived: tuple[Derived, ...] = ()

    @property
    def columns(self) -> list[str]:
        """Names of the features."""
        return list(self.weights)

    @cached_property
    def _linear(self) -> Tensor:
        return weight_matrix(self.numbers, list(self.weights.values()))

    def __call__(self, x: Tensor) -> Tensor:
        """Features (n, features) of materials (n, numbers), in the precision of ``x``."""
        values, place = x @ self._linear.to(x), {name: k for k, name in enumerate(self.columns)}
        for columns, numbers, function in self.derived:
            chosen = x if numbers is None else x[:, [self.numbers.index(name) for name in numbers]]
            places = torch.tensor([place[column] for column in columns], device=x.device)
            values = values.index_copy(1, places, function(chosen))
        return values


def weight_matrix(numbers: tuple[str, ...], weights: list[Mapping[str, float]]) -> Tensor:
    """Matrix (numbers, sums) of weighted sums, in float64; a number without weight counts 0."""
    return torch.tensor([[row.get(name, 0.0) for row in weights] for name in numbers], dtype=torch.float64)
