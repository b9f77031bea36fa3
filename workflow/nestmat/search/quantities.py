"""Derived quantities of materials: limits, probabilities, distances, prices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nestmat.scales.runs import Runs
from nestmat.search.problem import Quantities
from nestmat.search.spaces.product import Product

Extra = Callable[[Tensor, Quantities], tuple[Tensor, Tensor]]
"""Mean and standard deviation (n,) of a quantity of materials (n, columns), from the preceding quantities."""


def weighted(weights: Sequence[float]) -> Extra:
    """Sum of the numbers of a material, each times its weight.

    Args:
        weights: Weight of each column of the space.
    """
    weight = torch.tensor(weights, dtype=torch.float64)

    def extra(x: Tensor, _quantities: Quantities) -> tuple[Tensor, Tensor]:
        value = x @ weight.to(x)
        return value, torch.full_like(value, torch.nan)

    return extra


def interpolated(quantity: str, x: NDArray[np.float64], y: NDArray[np.float64]) -> Extra:
    """A function of one quantity, linear between points and constant outside of them.

    Args:
        quantity: Name of the quantity.
        x: Points, ascending, (points,).
        y: Values there.

    Returns:
        Its standard deviation is that of the quantity times the slope.
    """
    at, value = torch.from_numpy(x), torch.from_numpy(y)

    def extra(_x: Tensor, quantities: Quantities) -> tuple[Tensor, Tensor]:
        mean, std = quantities[quantity]
        points, values = at.to(mean), value.to(mean)
        k = (torch.searchsorted(points, mean.detach().contiguous()) - 1).clamp(0, len(points) - 2)
        slope = (values[k + 1] - values[k]) / (points[k + 1] - points[k])
        inside = mean.clamp(float(x[0]), float(x[-1]))
        return values[k] + slope * (inside - points[k]), slope.abs() * std

    return extra


def logistic(quantity: str, middle: float, width: float) -> Extra:
    """Probability that falls with a quantity: one half at ``middle``, 1/(1 + e) a ``width`` above it.

    A quantity without a value has the probability 0.
    """

    def extra(_x: Tensor, quantities: Quantities) -> tuple[Tensor, Tensor]:
        mean, _ = quantities[quantity]
        chance = torch.sigmoid((middle - mean) / width)
        return torch.nan_to_num(chance, nan=0.0), torch.full_like(mean, torch.nan)

    return extra


class Distance:
    """Distance of a material's composition to the nearest reference composition, 0 to 1.

    Half the sum of the differences of the fractions, averaged over sites; other numbers do not count.

    Args:
        space: The space, with a composition.
        reference: Fractions (n,) of reference compositions by column of the space. Where they hold species
            that the space lacks, the fractions of a site add up to less than 1.
    """

    def __init__(self, space: Product, reference: Mapping[str, NDArray[np.float64]]):
        sites = space.composition_factors
        self._places = torch.tensor([space.columns.index(name) for site in sites for name in site.columns])
        values = np.column_stack([reference[name] for site in sites for name in site.columns])
        self._reference, self._weight = torch.from_numpy(values), 0.5 / len(sites)
        self._outside = torch.from_numpy(len(sites) - values.sum(axis=1)).clamp_min(0.0)

    def __call__(self, x: Tensor, _quantities: Quantities | None = None) -> tuple[Tensor, Tensor]:
        """Distances (n,) of materials (n, columns); exact, so that the standard deviation is NaN."""
        rows = x[:, self._places]
        # Materials of one composition often follow each other, and differ in a variable alone.
        runs = Runs.of_rows(rows)
        distances = torch.cdist(runs.select(rows), self._reference.to(x), p=1) + self._outside.to(x)
        nearest = runs.expand(self._weight * distances.min(dim=1).values)
        return nearest, torch.full_like(nearest, torch.nan)
