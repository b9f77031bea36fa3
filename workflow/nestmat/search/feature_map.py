"""Features of the materials of a design space: vectorised, differentiable, without a formula in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from nestmat.search.spaces.alloys import SITES


def tolerance_factor(radii: Tensor, _charge: Tensor) -> Tensor:
    """Goldschmidt's t of mean radii (n, 3); as `nestmat.materials.perovskites.tolerance_factor`."""
    a, b, x = radii.unbind(dim=1)
    return (a + x) / (2**0.5 * (b + x))


def octahedral_factor(radii: Tensor, _charge: Tensor) -> Tensor:
    """Octahedral factor mu of mean radii (n, 3); as `nestmat.materials.perovskites.octahedral_factor`."""
    return radii[:, 1] / radii[:, 2]


def tau(radii: Tensor, charge: Tensor) -> Tensor:
    """Bartel's tau of mean radii (n, 3) and charges on A (n,); NaN where A is not larger than B."""
    a, b, x = radii.unbind(dim=1)
    ratio = torch.where(a > b, a / b, torch.nan)
    return x / b - charge * (charge - ratio / torch.log(ratio))


CRITERIA = {"tolerance_factor": tolerance_factor, "octahedral_factor": octahedral_factor, "tau": tau}


class Derived(NamedTuple):
    """Features that are a function of some numbers.

    Attributes:
        columns: Names of the features.
        numbers: Columns of the design space that they follow from.
        of: The features (n, columns) of these numbers (n, numbers), differentiable.
    """

    columns: tuple[str, ...]
    numbers: tuple[str, ...]
    of: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class FeatureMap:
    """How features follow from the numbers of a material.

    Most features are weighted sums: shares times properties of pure species, or a number as it is. The
    geometric criteria follow from mean radii and charges, others by functions of their own.

    Attributes:
        numbers: Columns of the design space.
        weights: Weight of each number by feature; those left out are 0. In the order of the features, those
            that are no sums among them without weights.
        radii: Radius in angstrom of the species of each number by site; for the geometric criteria.
        charges: Charge of the species of each number on site A.
        derived: Features that are functions of numbers.
    """

    numbers: tuple[str, ...]
    weights: Mapping[str, Mapping[str, float]]
    radii: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    charges: Mapping[str, float] = field(default_factory=dict)
    derived: tuple[Derived, ...] = ()

    @property
    def columns(self) -> list[str]:
        """Names of the features."""
        return list(self.weights)

    def _matrix(self, rows: list[Mapping[str, float]]) -> Tensor:
        return torch.tensor(
            [[row.get(name, 0.0) for row in rows] for name in self.numbers], dtype=torch.float64
        )

    @cached_property
    def _linear(self) -> Tensor:
        return self._matrix(list(self.weights.values()))

    @cached_property
    def _means(self) -> Tensor:
        return self._matrix([*(self.radii[site] for site in SITES), self.charges])

    def __call__(self, x: Tensor) -> Tensor:
        """Features (n, features) of materials (n, numbers), in the precision of ``x``."""
        values, place = x @ self._linear.to(x), {name: k for k, name in enumerate(self.columns)}
        for columns, numbers, of in self.derived:
            found = of(x[:, [self.numbers.index(name) for name in numbers]])
            values = values.index_copy(1, torch.tensor([place[c] for c in columns], device=x.device), found)
        geometric = {place[name]: criterion for name, criterion in CRITERIA.items() if name in place}
        if not geometric:
            return values
        means = x @ self._means.to(x)
        found = torch.stack([criterion(means[:, :3], means[:, 3]) for criterion in geometric.values()], dim=1)
        return values.index_copy(1, torch.tensor([*geometric], device=x.device), found)
