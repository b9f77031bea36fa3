"""Design spaces of independent factors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nestmat.deferred import torch
from nestmat.errors import InputError
from nestmat.search.spaces.base import DesignSpace, Factor, ParsedFormula
from nestmat.search.spaces.simplex import LARGEST_COUNT, Simplex

if TYPE_CHECKING:
    from torch import Tensor


def _first_grid_point(factor: Factor, n: int) -> NDArray[np.float64]:
    return factor.from_index(np.zeros(n, dtype=np.int64))


class Product(DesignSpace):
    """A space of independent factors; the last one varies fastest in the numbering of its points.

    Args:
        factors: The factors, in the order of their columns.

    Raises:
        InputError: Two columns have one name, or nothing varies.

    Example:
        >>> from nestmat.search.spaces.factors import Choice, Interval
        >>> space = Product([Interval("strain", 0.0, 1.0, grid=3), Choice("solvent", ["DMF", "DMSO"])])
        >>> space.n_materials, space.formulas(space.from_index(np.array([4])))
        (6, ['strain=1 solvent=DMF=1 solvent=DMSO=0'])
    """

    sites: Mapping[str, Simplex] = {}
    """Fractions on each site of an ABX3 perovskite; none in other spaces."""

    def __init__(self, factors: Sequence[Factor]):
        self.factors = list(factors)
        self.columns = tuple(name for factor in factors for name in factor.columns)
        if not self.columns or len(set(self.columns)) < len(self.columns):
            raise InputError(
                "The columns of a design space are empty or have repetitions.",
                value=list(self.columns),
                remedy="give each variable a name of its own.",
            )
        self.n_free = sum(factor.n_free for factor in factors)
        if not self.n_free:
            raise InputError("Nothing varies in the design space.", key="space", remedy="let a number vary.")
        counts = [factor.n_grid_points for factor in factors if factor.n_grid_points is not None]
        self.n_grid_points = math.prod(counts) if len(counts) == len(self.factors) else None
        self.n_materials = self.n_grid_points
        self._offsets = np.cumsum([0, *(len(factor.columns) for factor in factors)])

    @cached_property
    def composition_factors(self) -> list[Simplex]:
        """Factors that are fractions of species; none in a space of numbers and levels alone."""
        return [factor for factor in self.factors if isinstance(factor, Simplex)]

    @cached_property
    def other_factors(self) -> list[Factor]:
        """Factors that are no fractions of species."""
        return [factor for factor in self.factors if not factor.is_composition]

    @property
    def is_box(self) -> bool:
        """Whether all of its numbers lie in intervals."""
        return all(factor.is_interval for factor in self.factors)

    @property
    def fixed_values(self) -> dict[str, float]:
        """Numbers that do not vary, by column."""
        values = {factor.columns[0]: factor.fixed_value for factor in self.factors}
        return {column: value for column, value in values.items() if value is not None}

    def fractions_of(self, formula: ParsedFormula) -> dict[str, float]:
        """Fraction of each species of a formula, by the name of its column, also of species not in the space.

        Args:
            formula: The formula.
        """
        total = sum(formula.amounts.values())
        return {name: float(amount / total) for name, amount in formula.amounts.items()}

    def with_composition(
        self,
        fractions: Mapping[str, NDArray[np.float64]],
        fill: Callable[[Factor, int], NDArray[np.float64]] = _first_grid_point,
    ) -> NDArray[np.float64]:
        """Materials (n, columns) of a composition, neither snapped nor checked.

        Args:
            fractions: Fractions (n,) by column of the factors of the composition.
            fill: Returns n points of any other factor; by default the first of its grid.
        """
        n = len(next(iter(fractions.values())))
        parts = [
            np.stack([fractions[column] for column in factor.columns], axis=1)
            if factor.is_composition
            else fill(factor, n)
            for factor in self.factors
        ]
        return np.concatenate(parts, axis=1)

    def same_composition(
        self, x: NDArray[np.float64], y: NDArray[np.float64], tolerance: float
    ) -> NDArray[np.bool_]:
        """Whether compositions agree but for a share of the atoms of each site.

        Args:
            x: Rows (n, columns); one whose fractions do not have the sum 1 agrees with none.
            y: Materials, (n, columns).
            tolerance: Largest share that differs.

        Returns:
            (n,).
        """
        agrees = np.ones(len(x), dtype=bool)
        for factor, a, b in zip(self.factors, self.split(x), self.split(y), strict=True):
            if factor.is_composition:
                agrees &= (factor.distance(a, b) <= tolerance) & np.isclose(a.sum(axis=1), 1)
        return agrees

    def split(self, x: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Numbers of each factor, (..., columns of the factor), of materials (..., columns)."""
        return np.split(np.asarray(x, dtype=np.float64), self._offsets[1:-1], axis=-1)

    def from_free(self, u: Tensor) -> Tensor:
        """Materials (n, columns) of unconstrained reals (n, n_free), float64; constraints hold."""
        parts = torch.split(u, [factor.n_free for factor in self.factors], dim=1)
        return torch.cat([f.from_free(part) for f, part in zip(self.factors, parts, strict=True)], dim=1)

    def to_free(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Unconstrained reals (n, n_free) that are mapped close to materials (n, columns)."""
        return np.concatenate(
            [f.to_free(part) for f, part in zip(self.factors, self.split(x), strict=True)], axis=1
        )

    def sample(self, n: int, seed: int | Sequence[int]) -> NDArray[np.float64]:
        """Random materials, (n, columns), each point of the grid equally likely."""
        random = np.random.default_rng(seed)
        return np.concatenate([factor.sample(n, random) for factor in self.factors], axis=1)

    def canonical(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The point of the grid nearest to each material, (n, columns)."""
        return np.concatenate(
            [f.snap(part) for f, part in zip(self.factors, self.split(x), strict=True)], axis=1
        )

    def random_neighbour(self, x: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """A random neighbour of each material of the grid (n, columns): one factor takes a step."""
        moved = np.array(x, dtype=np.float64)
        variable = [k for k, factor in enumerate(self.factors) if factor.n_free]
        chosen = np.array(variable)[random.integers(len(variable), size=len(moved))]
        for k, factor in enumerate(self.factors):
            rows = np.flatnonzero(chosen == k)
            columns = slice(self._offsets[k], self._offsets[k + 1])
            moved[rows, columns] = factor.random_neighbour(moved[rows, columns], random)
        return self.canonical(moved)

    def from_index(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Points of the grid by number, (n, columns).

        Raises:
            InputError: A variable has no grid, or there are more points than can be numbered.
        """
        self._check_numbered()
        remainder = np.asarray(index, dtype=np.int64)
        parts = []
        for factor in reversed(self.factors):
            remainder, place = np.divmod(remainder, factor.n_grid_points or 1)
            parts.append(factor.from_index(place))
        return np.concatenate(parts[::-1], axis=1)

    def _check_numbered(self) -> int:
        without_grid = [f.columns[0] for f in self.factors if f.n_grid_points is None]
        if without_grid or self.n_grid_points is None:
            raise InputError(
                f"The materials cannot be numbered, since {', '.join(without_grid)} has no grid.",
                key="grid",
                remedy="give every variable a grid.",
            )
        if self.n_grid_points > LARGEST_COUNT:
            raise InputError(
                f"The space has {self.n_grid_points:.3g} materials, too many to number.",
                key="grid",
                remedy="choose coarser grids or fewer species.",
            )
        return self.n_grid_points

    def enumerate(self, size: int) -> Iterator[NDArray[np.float64]]:
        """Every material of the grid once, in chunks of at most ``size`` points.

        Raises:
            InputError: As `from_index`.
        """
        end = self._check_numbered()
        for start in range(0, end, size):
            chunk = self.from_index(np.arange(start, min(start + size, end)))
            yield chunk[self.is_canonical(chunk)]

    def distance(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean of the distances of the factors, 0 to 1, over the leading axes of ``a`` and ``b``."""
        parts = zip(self.factors, self.split(a), self.split(b), strict=True)
        distances = [factor.distance(p, q) for factor, p, q in parts if factor.n_free]
        return np.mean(distances, axis=0)

    def formulas(self, x: NDArray[np.float64]) -> list[str]:
        """A label of each row: its numbers by name."""
        return [
            " ".join(f"{name}={value:.10g}" for name, value in zip(self.columns, row, strict=True))
            for row in np.asarray(x)
        ]


def factors_of(space: DesignSpace, purpose: str) -> Product:
    """The space, if it is a product of factors.

    Args:
        space: A space.
        purpose: What the factors are needed for, for the message: ``The genetic algorithm exchanges``.

    Raises:
        InputError: The space is not a product of factors.
    """
    if not isinstance(space, Product):
        raise InputError(
            f"{purpose} the factors of a space, which a table of materials does not have.",
            key="space",
            remedy="rank the space, or draw from it.",
        )
    return space
