"""Design spaces of numbers in intervals, with symmetries."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nestmat.errors import InputError
from nestmat.search.spaces.factors import Interval
from nestmat.search.spaces.product import Product


class Box(Product):
    """Numbers in intervals, for example the lengths and angles of a strained cell.

    Args:
        intervals: The numbers.
        symmetries: Exchanges of columns that leave the material unchanged, each as new name by old name; the
            group that they generate is used.

    Raises:
        InputError: A symmetry is no exchange of columns, or exchanges columns with different intervals.

    Example:
        >>> edges = [Interval("a", 0.0, 1.0, grid=2), Interval("b", 0.0, 1.0, grid=2)]
        >>> space = Box(edges, [{"a": "b", "b": "a"}])
        >>> space.n_grid_points, space.n_materials
        (4, 3)
    """

    def __init__(self, intervals: Sequence[Interval], symmetries: Sequence[Mapping[str, str]] = ()):
        super().__init__(intervals)
        self.intervals = list(intervals)
        self._group = self._closure([self._exchange(symmetry) for symmetry in symmetries])
        if self.n_grid_points is not None:
            # Burnside: the mean number of points that an exchange does not move.
            counts = [interval.n_grid_points or 1 for interval in intervals]
            unmoved = [math.prod(counts[cycle] for cycle in _cycles(g)) for g in self._group]
            self.n_materials = sum(unmoved) // len(self._group)

    def _exchange(self, symmetry: Mapping[str, str]) -> tuple[int, ...]:
        place = {name: k for k, name in enumerate(self.columns)}
        if set(symmetry) != set(symmetry.values()) or set(symmetry) - set(place):
            raise InputError(
                "The symmetry is no exchange of columns of the space.",
                key="symmetries",
                value=dict(symmetry),
                remedy=f"choose from {', '.join(self.columns)}, and name each once as new and once as old.",
            )
        for old, new in symmetry.items():
            a, b = self.intervals[place[old]], self.intervals[place[new]]
            if (a.low, a.high, a.n_grid_points, a.periodic) != (b.low, b.high, b.n_grid_points, b.periodic):
                raise InputError(
                    f"The symmetry exchanges {old} and {new}, whose intervals differ.",
                    key="symmetries",
                    value=dict(symmetry),
                    remedy="give both the same interval and grid.",
                )
        return tuple(place[symmetry.get(name, name)] for name in self.columns)

    def _closure(self, generators: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
        group = {tuple(range(len(self.columns)))}
        while products := {tuple(g[k] for k in h) for g in group for h in generators} - group:
            group |= products
        return sorted(group)

    def canonical(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of the images of each material on the grid, the one that comes first in the order of columns."""
        snapped = super().canonical(x)
        best = snapped
        for exchange in self._group:
            image = snapped[:, list(exchange)]
            differ = image != best
            first = differ.argmax(axis=1)[:, None]
            less = np.take_along_axis(image, first, axis=1) < np.take_along_axis(best, first, axis=1)
            best = np.where(differ.any(axis=1, keepdims=True) & less, image, best)
        return best

    def is_canonical(self, x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether each point (n, columns) is the canonical one of its images, (n,)."""
        return (x == self.canonical(x)).all(axis=1)

    def distance(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """Smallest mean distance of the numbers over all images of ``a``."""
        a = np.asarray(a)
        return np.min([super(Box, self).distance(a[..., list(g)], b) for g in self._group], axis=0)


def _cycles(permutation: Sequence[int]) -> list[int]:
    """One element of each cycle."""
    visited: set[int] = set()
    firsts = []
    for start in range(len(permutation)):
        if start not in visited:
            firsts.append(start)
            element = start
            while element not in visited:
                visited.add(element)
                element = permutation[element]
    return firsts
