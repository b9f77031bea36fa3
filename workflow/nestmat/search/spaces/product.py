"""Design spaces: the materials that a search may propose, with constraints that hold exactly.

A material is a row of numbers, a space a product of independent parts (factors): site shares, numbers in an
interval, choices. Every constraint is part of how a row is made, never a penalty.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from nestmat.errors import InputError
from nestmat.search.spaces.simplex import LARGEST_COUNT, Simplex

SITES = {"A": 1, "B": 1, "X": 3}


class DesignSpace(Protocol):
    """Materials that may be proposed.

    Attributes:
        columns: Names of the numbers that describe a material.
        free: Number of unconstrained reals that a material is mapped from.
        count: Number of materials on the grid; None where a variable has no grid.
        numbered: Number of points that `points` knows; more than ``count`` where several are one material.
    """

    columns: tuple[str, ...]
    free: int
    count: int | None
    numbered: int | None

    def from_free(self, u: Tensor) -> Tensor:
        """Materials (n, columns) of unconstrained reals (n, free), float64; constraints hold."""

    def to_free(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Unconstrained reals (n, free) that are mapped close to materials (n, columns)."""

    def sample(self, n: int, seed: int | Sequence[int]) -> NDArray[np.float64]:
        """Random materials, (n, columns), each of the grid equally likely."""

    def canonical(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The one form of each material (n, columns), on the grid; canonical forms stay as they are."""

    def points(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Materials of the grid by number, (n, columns)."""

    def first(self, x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether each point (n, columns) is the one of all that are its material which counts, (n,)."""

    def step(self, x: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """A random neighbour on the grid of each canonical material, (n, columns)."""

    def distance(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """How different materials are, from 0 to 1, over the leading axes of ``a`` and ``b``."""

    def formulas(self, x: NDArray[np.float64]) -> list[str]:
        """Formula of each row; a label where the space is not one of compositions."""

    def enumerate(self, size: int) -> Iterator[NDArray[np.float64]]:
        """Every material of the grid once, in chunks of at most ``size`` numbered points."""


class Factor(Protocol):
    """One independent part of a space; `Simplex`, `Interval` and `Choice` are such parts.

    Attributes:
        columns: Names of its numbers.
        free: Number of unconstrained reals that they are mapped from.
    """

    columns: tuple[str, ...]
    free: int

    @property
    def count(self) -> int | None:
        """Number of points on its grid; None where it has none."""

    def from_free(self, u: Tensor) -> Tensor:
        """Numbers (n, columns) of unconstrained reals (n, free), float64."""

    def to_free(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Unconstrained reals (n, free) that are mapped close to numbers (n, columns)."""

    def snap(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The point of the grid next to each row, (n, columns)."""

    def step(self, x: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """A random point of the grid next to each point ``x``, (n, columns)."""

    def points(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Points of the grid by number, (n, columns)."""

    def sample(self, n: int, random: np.random.Generator) -> NDArray[np.float64]:
        """Random points, (n, columns)."""

    def distance(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """From 0 to 1, over the leading axes of ``a`` and ``b``."""


class Interval:
    """A number from ``low`` to ``high``.

    Args:
        name: Name of the column.
        low: Smallest value.
        high: Largest value; where the number is periodic, the same as ``low`` and left out.
        grid: Number of values on the grid, both ends among them; None for no grid.
        periodic: Whether the number goes round.
    """

    def __init__(
        self, name: str, low: float, high: float, grid: int | None = None, *, periodic: bool = False
    ):
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise InputError(
                "is not an interval.",
                column=name,
                value=[low, high],
                remedy="choose low < high, both finite.",
            )
        if grid is not None and grid < 2:
            raise InputError(
                "has too few values on its grid.", column=name, value=grid, remedy="choose 2 or more."
            )
        self.columns: tuple[str, ...] = (name,)
        self.free, self.count = 1, grid
        self.low, self.high, self.periodic = low, high, periodic

    @property
    def _step(self) -> float:
        return (self.high - self.low) / ((self.count or 1) - (not self.periodic))

    def from_free(self, u: Tensor) -> Tensor:
        """Values (n, 1): a sigmoid of ``u``, or, where they go round, the fraction of ``u``."""
        u = u.double()
        return self.low + (self.high - self.low) * (u - u.floor() if self.periodic else torch.sigmoid(u))

    def to_free(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Inverse of `from_free`, (n, 1); ends of the interval a thousandth inside it."""
        share = (np.asarray(x, dtype=np.float64) - self.low) / (self.high - self.low)
        if self.periodic:
            return share
        share = np.clip(share, 1e-3, 1 - 1e-3)
        return np.log(share / (1 - share))

    def snap(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Next value of the grid (n, 1), or of the interval where there is no grid."""
        x = np.asarray(x, dtype=np.float64)
        if self.periodic:
            x = self.low + np.mod(x - self.low, self.high - self.low)
        if self.count is None:
            return np.clip(x, self.low, self.high)
        number = np.rint((x - self.low) / self._step).astype(np.int64)
        return self._at(number % self.count if self.periodic else np.clip(number, 0, self.count - 1))

    def _at(self, number: NDArray[np.int64]) -> NDArray[np.float64]:
        # The ends come out exact.
        steps = (self.count or 1) - (not self.periodic)
        return (self.low * (steps - number) + self.high * number) / steps

    def step(self, x: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """The next value up or down, (n, 1); without a grid a hundredth of the interval at most."""
        if self.count is None:
            return self.snap(x + 0.01 * (self.high - self.low) * random.uniform(-1, 1, size=np.shape(x)))
        return self.snap(x + self._step * random.choice([-1, 1], size=np.shape(x)))

    def points(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Values of the grid by number, (n, 1)."""
        return self._at(np.asarray(index))[:, None]

    def sample(self, n: int, random: np.random.Generator) -> NDArray[np.float64]:
        """Uniform values of the grid, or of the interval, (n, 1)."""
        if self.count is None:
            return random.uniform(self.low, self.high, size=(n, 1))
        return self.points(random.integers(self.count, size=n))

    def distance(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """Difference as a share of the interval; the shorter way round, as a share of half of it."""
        share = np.abs(np.asarray(a) - b)[..., 0] / (self.high - self.low)
        return 2 * np.minimum(share % 1, 1 - share % 1) if self.periodic else share


class Fixed:
    """A number that stays as it is.

    Args:
        name: Name of the column.
        value: Its value.
    """

    def __init__(self, name: str, value: float):
        if not math.isfinite(value):
            raise InputError("is not finite.", column=name, value=value, remedy="give a number.")
        self.columns: tuple[str, ...] = (name,)
        self.value = value
        self.free, self.count = 0, 1

    def from_free(self, u: Tensor) -> Tensor:
        """The value, (n, 1), of no reals (n, 0)."""
        return torch.full((len(u), 1), self.value, dtype=torch.float64)

    def to_free(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """No reals, (n, 0)."""
        return np.empty((len(x), 0))

    def snap(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The value, (n, 1)."""
        return np.full((len(x), 1), self.value)

    def step(self, x: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """The value, (n, 1): it has no neighbour."""
        return self.snap(x)

    def points(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """The value, (n, 1)."""
        return np.full((len(np.asarray(index)), 1), self.value)

    def sample(self, n: int, random: np.random.Generator) -> NDArray[np.float64]:
        """The value, (n, 1)."""
        return np.full((n, 1), self.value)

    def distance(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """0: there is one value."""
        return np.zeros(np.broadcast_shapes(np.shape(a), np.shape(b))[:-1])


class Choice:
    """One of several levels, as columns ``<name>=<level>`` of which one is 1.

    Args:
        name: What is chosen.
        levels: From what.
    """

    def __init__(self, name: str, levels: Sequence[str]):
        if not levels or len(set(levels)) < len(levels):
            raise InputError(
                "levels are empty or have repetitions.",
                column=name,
                value=list(levels),
                remedy="name each once.",
            )
        self.columns = tuple(f"{name}={level}" for level in levels)
        self.free = self.count = len(levels)

    def from_free(self, u: Tensor) -> Tensor:
        """The level of the largest of ``u`` (n, levels); the gradient is that of a softmax."""
        soft = torch.softmax(u.double(), dim=1)
        hard = torch.nn.functional.one_hot(soft.argmax(dim=1), self.free).double()
        # Exactly 0 or 1 in value: the softmax cancels before it is added.
        return hard + (soft - soft.detach())

    def to_free(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Reals (n, levels) of which the largest is that of the level, and the others have a gradient."""
        return 2.0 * np.asarray(x, dtype=np.float64)

    def snap(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The level of the largest number of each row, (n, levels)."""
        return self.points(np.asarray(x).argmax(axis=1))

    def step(self, x: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """A random level, (n, levels)."""
        return self.sample(len(x), random)

    def points(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Levels by number, (n, levels)."""
        return np.eye(self.free)[np.asarray(index)]

    def sample(self, n: int, random: np.random.Generator) -> NDArray[np.float64]:
        """Random levels, (n, levels)."""
        return self.points(random.integers(self.free, size=n))

    def distance(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """0 for the same level, 1 for two."""
        return 0.5 * np.abs(np.asarray(a) - b).sum(axis=-1)


class Product:
    """A space of independent factors; the last one varies fastest in the numbering of its points.

    Args:
        factors: The parts, in the order of their columns.
    """

    def __init__(self, factors: Sequence[Factor]):
        self.factors = list(factors)
        self.columns = tuple(name for factor in factors for name in factor.columns)
        if not self.columns or len(set(self.columns)) < len(self.columns):
            raise InputError(
                "columns of a design space are empty or have repetitions.",
                value=list(self.columns),
                remedy="give each variable a name of its own.",
            )
        self.free = sum(factor.free for factor in factors)
        if not self.free:
            raise InputError("leaves nothing to choose.", column="space", remedy="let a number vary.")
        counts = [factor.count for factor in factors if factor.count is not None]
        self.numbered = self.count = math.prod(counts) if len(counts) == len(self.factors) else None
        self._parts = np.cumsum([0, *(len(factor.columns) for factor in factors)])

    @property
    def shares(self) -> list[Simplex]:
        """Factors that are shares of species; none in a space of numbers and levels alone."""
        return [factor for factor in self.factors if isinstance(factor, Simplex)]

    def split(self, x: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Numbers of each factor, (..., columns of the factor), of materials (..., columns)."""
        return np.split(np.asarray(x, dtype=np.float64), self._parts[1:-1], axis=-1)

    def from_free(self, u: Tensor) -> Tensor:
        """Materials (n, columns) of unconstrained reals (n, free), float64; constraints hold."""
        parts = torch.split(u, [factor.free for factor in self.factors], dim=1)
        return torch.cat([f.from_free(part) for f, part in zip(self.factors, parts, strict=True)], dim=1)

    def to_free(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Unconstrained reals (n, free) that are mapped close to materials (n, columns)."""
        return np.concatenate(
            [f.to_free(part) for f, part in zip(self.factors, self.split(x), strict=True)], axis=1
        )

    def sample(self, n: int, seed: int | Sequence[int]) -> NDArray[np.float64]:
        """Random materials, (n, columns), each point of the grid equally likely."""
        random = np.random.default_rng(seed)
        return np.concatenate([factor.sample(n, random) for factor in self.factors], axis=1)

    def canonical(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The point of the grid next to each material, (n, columns)."""
        return np.concatenate(
            [f.snap(part) for f, part in zip(self.factors, self.split(x), strict=True)], axis=1
        )

    def step(self, x: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """A random neighbour of each material of the grid (n, columns): one factor takes a step."""
        moved = np.array(x, dtype=np.float64)
        loose = [k for k, factor in enumerate(self.factors) if factor.free]
        chosen = np.array(loose)[random.integers(len(loose), size=len(moved))]
        for k, factor in enumerate(self.factors):
            rows = np.flatnonzero(chosen == k)
            here = slice(self._parts[k], self._parts[k + 1])
            moved[rows, here] = factor.step(moved[rows, here], random)
        return self.canonical(moved)

    def points(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Materials of the grid by number, (n, columns).

        Raises:
            InputError: A variable has no grid, or there are more points than can be numbered.
        """
        self._numbered()
        rest = np.asarray(index, dtype=np.int64)
        parts = []
        for factor in reversed(self.factors):
            rest, number = np.divmod(rest, factor.count or 1)
            parts.append(factor.points(number))
        return np.concatenate(parts[::-1], axis=1)

    def first(self, x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """All of them, (n,): no two points are one material."""
        return np.ones(len(x), dtype=bool)

    def _numbered(self) -> int:
        if self.numbered is None or self.numbered > LARGEST_COUNT:
            loose = [f.columns[0] for f in self.factors if f.count is None]
            raise InputError(
                f"is lacking for {', '.join(loose)}, so that the materials cannot be numbered."
                if loose
                else f"gives the space {self.numbered:.3g} materials, too many to number.",
                column="grid",
                remedy="give every variable a grid." if loose else "choose coarser grids or fewer species.",
            )
        return self.numbered

    def enumerate(self, size: int) -> Iterator[NDArray[np.float64]]:
        """Every material of the grid once, in chunks of at most ``size`` numbered points.

        Raises:
            InputError: As `points`.
        """
        end = self._numbered()
        for start in range(0, end, size):
            chunk = self.points(np.arange(start, min(start + size, end)))
            yield chunk[self.first(chunk)]

    def distance(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean of the distances of the factors, 0 to 1, over the leading axes of ``a`` and ``b``."""
        parts = zip(self.factors, self.split(a), self.split(b), strict=True)
        each = [f.distance(one, other) for f, one, other in parts if f.free]
        return np.mean(each, axis=0)

    def formulas(self, x: NDArray[np.float64]) -> list[str]:
        """A label of each row: its numbers by name."""
        return [
            " ".join(f"{name}={value:.10g}" for name, value in zip(self.columns, row, strict=True))
            for row in np.asarray(x)
        ]


def _formula(species: Sequence[str], amounts: Sequence[float]) -> str:
    """Formula of amounts, those of 0 left out and those of 1 unwritten."""
    return "".join(
        name if amount == 1 else f"{name}{amount:.10g}"
        for name, amount in zip(species, amounts, strict=True)
        if amount > 0
    )


class ABX3Alloy(Product):
    """Halide perovskites ABX3 with alloyed sites, and continuous or chosen variables beside them.

    All ions that may share a site have one charge, and the sites together none: every material is neutral.

    Args:
        sites: Shares on A, B and X, by site.
        charges: Charge in elementary charges of each species.
        others: Further variables, for example strain, thickness or solvent.

    Raises:
        InputError: A charge is missing, species of one site differ in charge, or the sites are not neutral.
    """

    def __init__(
        self, sites: Mapping[str, Simplex], charges: Mapping[str, float], others: Sequence[Factor] = ()
    ):
        if set(sites) != set(SITES):
            raise InputError("names other sites than A, B and X.", column="sites", value=sorted(sites))
        total = 0.0
        for site, ratio in SITES.items():
            if lacking := [name for name in sites[site].species if name not in charges]:
                raise InputError("has no charge.", column="charges", value=lacking, remedy="state it.")
            found = {charges[name] for name in sites[site].species}
            if len(found) > 1:
                raise InputError(
                    f"species of site {site} differ in charge, so that alloys would not be neutral.",
                    column="charges",
                    value={name: charges[name] for name in sites[site].species},
                    remedy="keep the ions of one charge.",
                )
            total += ratio * found.pop()
        if total != 0:
            raise InputError(
                f"ions give ABX3 a charge of {total:g}.",
                column="charges",
                remedy="choose ions that are neutral.",
            )
        super().__init__([*(sites[site] for site in SITES), *others])
        self.sites = {site: sites[site] for site in SITES}

    def formulas(self, x: NDArray[np.float64]) -> list[str]:
        """Formula of each row, sites in order: ``CsPb0.5Sn0.5I3``."""
        species = [name for simplex in self.sites.values() for name in simplex.species]
        ratio = np.concatenate([[SITES[site]] * len(simplex.species) for site, simplex in self.sites.items()])
        amounts = np.asarray(x)[:, : len(species)] * ratio
        return [_formula(species, row) for row in amounts.tolist()]


class Alloy(Product):
    """Alloys of a few out of many elements.

    Args:
        elements: Shares of the elements.
        others: Further variables.
    """

    def __init__(self, elements: Simplex, others: Sequence[Factor] = ()):
        super().__init__([elements, *others])
        self.elements = elements

    def formulas(self, x: NDArray[np.float64]) -> list[str]:
        """Formula of each row in atomic percent, elements in the order of the alphabet: ``Al25Co75``."""
        order = np.argsort(self.elements.species)
        names = [self.elements.species[place] for place in order]
        return [
            "".join(f"{name}{100 * share:.10g}" for name, share in zip(names, row, strict=True) if share > 0)
            for row in np.asarray(x)[:, order].tolist()
        ]


class Box(Product):
    """Numbers in intervals, for example the lengths and angles of a strained cell.

    Args:
        intervals: The numbers.
        symmetries: Exchanges of columns that leave the material the same, each as new name by old name; they
            and all their products count.

    Raises:
        InputError: A symmetry does not exchange columns, or exchanges such with different intervals.
    """

    def __init__(self, intervals: Sequence[Interval], symmetries: Sequence[Mapping[str, str]] = ()):
        super().__init__(intervals)
        self.intervals = list(intervals)
        self._group = self._closure([self._exchange(symmetry) for symmetry in symmetries])
        if self.count is not None:
            # Burnside: the mean number of points that an exchange leaves alone.
            counts = [interval.count or 1 for interval in intervals]
            fixed = [math.prod(counts[cycle] for cycle in _cycles(g)) for g in self._group]
            self.count = sum(fixed) // len(self._group)

    def _exchange(self, symmetry: Mapping[str, str]) -> tuple[int, ...]:
        place = {name: k for k, name in enumerate(self.columns)}
        if set(symmetry) != set(symmetry.values()) or set(symmetry) - set(place):
            raise InputError(
                "does not exchange columns of the space.",
                column="symmetries",
                value=dict(symmetry),
                remedy=f"name each of some columns of {', '.join(self.columns)} once on both sides.",
            )
        for old, new in symmetry.items():
            a, b = self.intervals[place[old]], self.intervals[place[new]]
            if (a.low, a.high, a.count, a.periodic) != (b.low, b.high, b.count, b.periodic):
                raise InputError(
                    f"exchanges {old} and {new}, whose intervals differ.",
                    column="symmetries",
                    value=dict(symmetry),
                )
        return tuple(place[symmetry.get(name, name)] for name in self.columns)

    def _closure(self, generators: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
        found = {tuple(range(len(self.columns)))}
        while more := {tuple(g[k] for k in h) for g in found for h in generators} - found:
            found |= more
        return sorted(found)

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

    def first(self, x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether each point (n, columns) is the canonical one of its images, (n,)."""
        return (x == self.canonical(x)).all(axis=1)

    def distance(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """Smallest mean distance of the numbers over all images of ``a``."""
        a = np.asarray(a)
        return np.min([super(Box, self).distance(a[..., list(g)], b) for g in self._group], axis=0)


def _cycles(permutation: Sequence[int]) -> list[int]:
    """One element of each cycle."""
    seen: set[int] = set()
    firsts = []
    for start in range(len(permutation)):
        if start not in seen:
            firsts.append(start)
            here = start
            while here not in seen:
                seen.add(here)
                here = permutation[here]
    return firsts


class Pool:
    """A finite table of materials; nothing outside it is proposed.

    Args:
        table: One row a material: numbers that describe it.
        formulas: Formula, or label, of each row.

    Raises:
        InputError: The table is empty, not finite, or has a row twice.
    """

    free = 0

    def __init__(self, table: pd.DataFrame, formulas: Sequence[str]):
        values = table.to_numpy(np.float64)
        if not values.size or not np.isfinite(values).all():
            raise InputError("the pool is empty or not finite.", remedy="give a table of numbers.")
        if (twice := table.duplicated()).any():
            row = int(np.argmax(twice.to_numpy()))
            raise InputError(
                "is twice in the pool.", row=row, value=formulas[row], remedy="keep one row a material."
            )
        self.columns, self.values, self._formulas = tuple(map(str, table.columns)), values, list(formulas)
        self.numbered = self.count = len(values)
        spread = np.ptp(values, axis=0)
        self._spread = np.where(spread > 0, spread, 1.0)

    def from_free(self, u: Tensor) -> Tensor:
        """A pool has no gradient.

        Raises:
            InputError: Always.
        """
        raise self._no_path()

    def to_free(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """As `from_free`.

        Raises:
            InputError: Always.
        """
        raise self._no_path()

    @staticmethod
    def _no_path() -> InputError:
        return InputError(
            "a pool of materials has no continuous coordinates to search along.",
            column="space",
            remedy="rank it, or draw from it.",
        )

    def step(self, x: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """Another material of the pool for each row, (n, columns): nothing is next to it."""
        return self.points(random.integers(self.count, size=len(x)))

    def number(self, x: NDArray[np.float64]) -> NDArray[np.int64]:
        """Row of the pool next to each row of ``x``, (n,)."""
        found = [self.distance(row, self.values).argmin() for row in np.asarray(x)]
        return np.array(found, dtype=np.int64)

    def canonical(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The material of the pool next to each row, (n, columns)."""
        return self.values[self.number(x)]

    def points(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Materials by row of the pool, (n, columns)."""
        return self.values[np.asarray(index)]

    def first(self, x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """All of them, (n,): no row is there twice."""
        return np.ones(len(x), dtype=bool)

    def sample(self, n: int, seed: int | Sequence[int]) -> NDArray[np.float64]:
        """Random materials, with repetitions, (n, columns)."""
        return self.points(np.random.default_rng(seed).integers(self.count, size=n))

    def enumerate(self, size: int) -> Iterator[NDArray[np.float64]]:
        """Every material once, in chunks of at most ``size``."""
        for start in range(0, self.count, size):
            yield self.values[start : start + size]

    def distance(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean difference of the numbers as shares of their ranges in the pool."""
        return (np.abs(np.asarray(a) - b) / self._spread).mean(axis=-1)

    def formulas(self, x: NDArray[np.float64]) -> list[str]:
        """Formula, or label, of each row."""
        return [self._formulas[row] for row in self.number(x)]
