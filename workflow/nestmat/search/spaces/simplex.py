"""Fractions of species on one site: few species at a time, within bounds, on a grid."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import numpy as np
from numpy.typing import NDArray

from nestmat.deferred import torch
from nestmat.errors import InputError
from nestmat.search.spaces.base import Factor

if TYPE_CHECKING:
    from torch import Tensor

LARGEST_COUNT = 2**52
"""Largest number of points that are numbered: sums over a thousand choices fit a signed 64-bit integer."""

LARGEST_TABLE = 100_000
"""Largest number of points that are kept in memory rather than computed again."""

SMALLEST_FRACTION = 1e-30
"""Replaces a fraction of 0 where a logarithm is taken."""

_ROUNDING = 1e-9


class Simplex(Factor):
    """Fractions that are not negative and have the sum 1.

    A species is present with a fraction of at least ``least``, or absent; from ``fewest`` to ``most`` species
    are present. These rules and the bounds hold in all that the class returns.

    Args:
        species: Names.
        grid: Fractions of grid points are multiples of 1/grid.
        site: Prefix of the columns, ``<site>:<species>``; none if empty.
        fewest: Smallest number of species that are present.
        most: Largest number of species that are present; all by default.
        least: Smallest fraction of a species that is present.
        bounds: Smallest and largest fraction by species; one with a smallest fraction above 0 is always
            present.

    Attributes:
        columns: Names of the fractions.
        n_free: Number of unconstrained reals that the fractions are mapped from.
        n_grid_points: Number of points on the grid.

    Raises:
        InputError: The arguments contradict each other, or some choice of species cannot meet them.

    Example:
        >>> metals = Simplex(["Pb", "Sn", "Ge"], 4, site="B", most=2)
        >>> metals.n_grid_points
        12
        >>> metals.snap(np.array([[0.7, 0.28, 0.02]])).tolist()
        [[0.75, 0.25, 0.0]]
    """

    is_composition: ClassVar[bool] = True
    n_grid_points: int

    def __init__(
        self,
        species: Sequence[str],
        grid: int,
        *,
        site: str = "",
        fewest: int = 1,
        most: int | None = None,
        least: float = 0.0,
        bounds: Mapping[str, tuple[float, float]] | None = None,
    ):
        self.species, self.grid, self.site = tuple(species), grid, site
        self.fewest, self.least, self.bounds = fewest, least, dict(bounds or {})
        self.most = len(self.species) if most is None else most
        self._check()
        self.columns = tuple(f"{site}:{name}" if site else name for name in self.species)
        self.n_free = len(self.species)
        low, high = np.array([self.bounds.get(name, (0.0, 1.0)) for name in self.species]).T
        self._required = low > 0
        # Bounds of a species that is present, as fractions and as steps of the grid.
        self._low, self._high = np.maximum(low, least), high
        self._low_steps = np.maximum(np.ceil(self._low * grid - _ROUNDING), 1).astype(np.int64)
        self._high_steps = np.floor(high * grid + _ROUNDING).astype(np.int64)
        self._check_reach(self._low, self._high, 1)
        self._check_reach(self._low_steps, self._high_steps, grid)
        self._combinations = self._count_combinations()
        self.n_grid_points = int(self._combinations[0][:, grid].sum())

    def _fail(self, key: str, value: object, message: str, remedy: str) -> NoReturn:
        site = f"Site {self.site}: " if self.site else ""
        raise InputError(site + message, key=key, value=value, remedy=remedy)

    def _check(self) -> None:
        if not self.species or len(set(self.species)) < len(self.species):
            self._fail(
                "species",
                list(self.species),
                "The list of species is empty or has repetitions.",
                "name each species once.",
            )
        if not isinstance(self.grid, int) or not 1 <= self.grid <= 1000:
            self._fail(
                "grid",
                self.grid,
                "The grid is a whole number from 1 to 1000.",
                "choose 8 for multiples of an eighth.",
            )
        if not 1 <= self.fewest <= self.most <= len(self.species):
            self._fail(
                "most",
                [self.fewest, self.most],
                f"From {self.fewest} to {self.most} of {len(self.species)} species cannot be present.",
                "choose 1 <= fewest <= most <= number of species.",
            )
        if not 0 <= self.least <= 1:
            self._fail(
                "least",
                self.least,
                "The smallest fraction is not between 0 and 1.",
                "choose a number from 0 to 1.",
            )
        for name, (low, high) in self.bounds.items():
            if name not in self.species:
                self._fail(
                    "bounds",
                    name,
                    f"There is no species {name!r} to bound.",
                    f"choose from {', '.join(self.species)}.",
                )
            if not 0 <= low <= high <= 1 or high == 0:
                self._fail(
                    f"bounds.{name}",
                    [low, high],
                    f"The bounds of {name} are no range of fractions.",
                    "choose 0 <= low <= high <= 1, and remove a forbidden species from the list.",
                )

    def _check_reach(self, low: NDArray, high: NDArray, total: int) -> None:
        """Raise unless the fractions of every choice of species can have the sum 1."""
        optional = ~self._required
        n_optional = self.most - int(self._required.sum())
        if n_optional < 0:
            self._fail(
                "bounds",
                self.bounds,
                f"The bounds require more than {self.most} species.",
                "raise most, or remove a bound.",
            )
        for name in np.array(self.species)[low > high + _ROUNDING]:
            self._fail(
                "least",
                self.least,
                f"No fraction of {name} fits bounds, smallest fraction and the grid of 1/{self.grid}.",
                "choose another grid, least or bound.",
            )
        if low[self._required].sum() + np.sort(low[optional])[::-1][:n_optional].sum() > total + _ROUNDING:
            self._fail(
                "most",
                self.most,
                "The smallest fractions of some choice of species exceed 1 in total.",
                "lower most, least or the bounds.",
            )
        if high[self._required].sum() + np.sort(high[optional])[:n_optional].sum() < total - _ROUNDING:
            self._fail(
                "most",
                self.most,
                "The largest fractions of some choice of species stay below 1 in total.",
                "raise most or the largest fractions, or remove a species.",
            )

    def _present(
        self, fractions: NDArray[np.float64], threshold: NDArray[np.float64], high: NDArray[np.float64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which species may be present for desired fractions, and which of them must be.

        Required species must be present, and the largest desired fractions up to ``fewest`` species. Species
        from ``threshold`` on may be present, and those without which the sum cannot reach 1, up to ``most``.

        Args:
            fractions: Desired fractions, (n, species), of sum 1.
            threshold: Desired fraction from which a species may be present; one of 0 is always absent.
            high: Largest fraction of each species.

        Returns:
            (n, species) each.
        """
        order = np.argsort(-(fractions + 2.0 * self._required), axis=1, kind="stable")[:, : self.most]
        desired = np.take_along_axis(fractions, order, axis=1)
        reached = np.cumsum(high[order], axis=1) - high[order]
        obligatory = self._required[order] | (np.arange(self.most) < self.fewest)
        eligible = (desired > 0) & (desired >= threshold[order] - _ROUNDING)
        must, may = np.zeros(fractions.shape, dtype=bool), np.zeros(fractions.shape, dtype=bool)
        np.put_along_axis(must, order, obligatory, axis=1)
        np.put_along_axis(may, order, obligatory | eligible | (reached < 1 - _ROUNDING), axis=1)
        return may, must

    def from_free(self, u: Tensor) -> Tensor:
        """Fractions of unconstrained reals, differentiable within a choice of species.

        A softmax over the species that are present, in which fractions within their bounds are scaled to the
        sum that fractions at a bound allow (variable fixing; Bitran & Hax, Naval Res. Logist. Q. 28, 1
        (1981)).

        Args:
            u: (n, species).

        Returns:
            (n, species), float64.
        """
        weight = torch.softmax(u.double(), dim=1)
        present = torch.from_numpy(self._present(weight.detach().numpy(), 0.5 * self._low, self._high)[0])
        # Far below every other fraction, and above the smallest number.
        weight = torch.where(present, weight.clamp_min(1e-200), 0.0)
        low, high = (torch.where(present, torch.from_numpy(bound), 0.0) for bound in (self._low, self._high))
        with torch.no_grad():
            fixed = self._at_bounds(weight, low, high, ~present)
        value = torch.where(fixed == -1, low, high).where(fixed != 0, 0.0)
        free = torch.where(fixed == 0, weight, 0.0)
        total = free.sum(dim=1, keepdim=True)
        scale = (1.0 - value.sum(dim=1, keepdim=True)) / torch.where(total > 0, total, 1.0)
        return value + free * scale

    def to_free(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Unconstrained reals (n, species) that `from_free` maps to fractions ``x`` that are not at a bound.

        Absent species get a value as far below the others as leaves the softmax a gradient.
        """
        return np.log(np.maximum(np.asarray(x, dtype=np.float64), 1e-3))

    @staticmethod
    def _at_bounds(weight: Tensor, low: Tensor, high: Tensor, absent: Tensor) -> Tensor:
        """-1 where a fraction is at its smallest value, 1 at its largest, 0 between; (n, species)."""
        fixed = torch.where(absent, -1, 0)
        for _ in range(weight.shape[1]):
            available = 1.0 - torch.where(fixed == -1, low, torch.where(fixed == 1, high, 0.0)).sum(dim=1)
            free = torch.where(fixed == 0, weight, 0.0)
            total = free.sum(dim=1)
            scaled = free * (available / torch.where(total > 0, total, 1.0))[:, None]
            deficit = torch.where(fixed == 0, low - scaled, 0.0).clamp_min(0.0)
            excess = torch.where(fixed == 0, scaled - high, 0.0).clamp_min(0.0)
            if not (deficit.any() or excess.any()):
                break
            fix_low = deficit.sum(dim=1, keepdim=True) >= excess.sum(dim=1, keepdim=True)
            fixed = torch.where(fix_low & (deficit > 0), -1, torch.where(~fix_low & (excess > 0), 1, fixed))
        return fixed

    def snap(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The point of the grid nearest to each row of ``x`` (n, species); points of the grid are unchanged.

        The largest remainders are rounded up; steps that bounds or absent species leave over go where they
        change a fraction least.
        """
        desired = np.asarray(x, dtype=np.float64) * self.grid
        # A species whose smallest fraction is one step is present wherever its fraction rounds to a step.
        single = self._low_steps == 1
        threshold = np.where(single, 0.0, 0.5 * self._low_steps / self.grid)
        may, must = self._present(desired / self.grid, threshold, self._high_steps / self.grid)
        low, high = self._low_steps * (must | (may & ~single)), self._high_steps * may
        steps = np.clip(np.floor(desired + _ROUNDING).astype(np.int64), low, high)
        rows = np.arange(len(steps))
        while (missing := self.grid - steps.sum(axis=1)).any():
            gap = desired - steps
            up = np.where(steps < high, gap, -np.inf).argmax(axis=1)
            down = np.where(steps > low, gap, np.inf).argmin(axis=1)
            np.add.at(steps, (rows, np.where(missing > 0, up, down)), np.sign(missing))
        return steps / self.grid

    def random_neighbour(self, x: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """A point of the grid next to each row of ``x``: some steps move from one species to another.

        One step moves; or all that the donor has, where fewer would be too few for it; or as many as the
        acceptor needs to be present.
        """
        steps = np.rint(np.asarray(x) * self.grid).astype(np.int64)
        rows, n = np.arange(len(steps)), len(self.species)
        donor = np.where(steps > 0, random.random(steps.shape), -1.0).argmax(axis=1)
        acceptor = (donor + random.integers(1, max(2, n), size=len(steps))) % n
        needed = np.where(steps[rows, acceptor] == 0, self._low_steps[acceptor], 1)
        remaining = steps[rows, donor] - needed
        moved = np.where(remaining < self._low_steps[donor], steps[rows, donor], needed)
        steps[rows, donor] -= moved
        steps[rows, acceptor] += moved
        return self.snap(steps / self.grid)

    def _count_combinations(self) -> list[NDArray]:
        """Number of combinations by which the species from j on fill the grid.

        Returns:
            For each j an array (present, steps) of whole numbers of any size: combinations that place so many
            steps on the species from j on with so many of them present. From the first species on only
            allowed numbers of present species count.
        """
        size = (self.most + 1, self.grid + 1)
        combinations = [np.zeros(size, dtype=object)]
        combinations[0][0, 0] = 1
        for low, high, required in zip(
            self._low_steps[::-1], self._high_steps[::-1], self._required[::-1], strict=True
        ):
            following = combinations[-1]
            total = np.zeros(size, dtype=object) if required else following.copy()
            for steps in range(low, high + 1):
                total[1:, steps:] += following[:-1, : self.grid + 1 - steps]
            combinations.append(total)
        combinations[-1][: self.fewest] = 0
        return combinations[::-1]

    @cached_property
    def _numbered(self) -> list[NDArray[np.int64]]:
        if self.n_grid_points > LARGEST_COUNT:
            self._fail(
                "grid",
                self.grid,
                f"The grid has {self.n_grid_points:.3g} points, too many to number.",
                "choose a coarser grid, fewer species at a time, or a larger smallest fraction.",
            )
        return [np.minimum(numbers, LARGEST_COUNT).astype(np.int64) for numbers in self._combinations]

    def from_index(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Points of the grid by number.

        The order is that of the fractions of the first species, then the second, and so on, within the number
        of species that are present.

        Args:
            index: From 0 to ``n_grid_points`` - 1, (n,).

        Returns:
            (n, species).

        Raises:
            InputError: There are more points than can be numbered.
        """
        return self._table[index] if self.n_grid_points <= LARGEST_TABLE else self._walk(np.asarray(index))

    @cached_property
    def _table(self) -> NDArray[np.float64]:
        return self._walk(np.arange(self.n_grid_points))

    def _walk(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        remainder = index.astype(np.int64)

        def choose(numbers: NDArray) -> NDArray[np.int64]:
            ends = np.cumsum(numbers, axis=1)
            column = (ends <= remainder[:, None]).sum(axis=1)
            remainder[:] -= np.where(column > 0, ends[np.arange(len(ends)), column - 1], 0)
            return column

        return self._fill(self._numbered, len(remainder), choose)

    def _fill(
        self, combinations: Sequence[NDArray], n: int, choose: Callable[[NDArray], NDArray[np.int64]]
    ) -> NDArray[np.float64]:
        """Points (n, species), by a choice of how many species are present, then of the steps of each.

        Args:
            combinations: What `_count_combinations` returns, as numbers of one type.
            n: Number of points.
            choose: Picks a column of numbers of combinations (n, choices) in each row, one above 0.
        """
        n_present = choose(np.broadcast_to(combinations[0][:, self.grid], (n, self.most + 1)))
        unplaced = np.full(n, self.grid)
        steps = np.zeros((n, len(self.species)), dtype=np.int64)
        for j, following in enumerate(combinations[1:]):
            choices = self._choices(j)
            present_after = n_present[:, None] - (choices > 0)
            unplaced_after = unplaced[:, None] - choices
            possible = (present_after >= 0) & (unplaced_after >= 0)
            numbers = following[np.maximum(present_after, 0), np.maximum(unplaced_after, 0)]
            steps[:, j] = choices[choose(np.where(possible, numbers, 0))]
            n_present = n_present - (steps[:, j] > 0)
            unplaced -= steps[:, j]
        return steps / self.grid

    def _choices(self, j: int) -> NDArray[np.int64]:
        """Steps that species j may have."""
        present = np.arange(self._low_steps[j], self._high_steps[j] + 1)
        return present if self._required[j] else np.concatenate([[0], present])

    def sample(self, n: int, random: np.random.Generator) -> NDArray[np.float64]:
        """Draw points of the grid, each equally likely; (n, species)."""
        if self.n_grid_points <= LARGEST_COUNT:
            return self.from_index(random.integers(self.n_grid_points, size=n))

        def choose(numbers: NDArray) -> NDArray[np.int64]:
            ends = np.cumsum(numbers, axis=1)
            # Stays below the last end where rounding would reach it.
            threshold = random.random(len(ends)) * ends[:, -1] * (1 - 1e-12)
            return (ends <= threshold[:, None]).sum(axis=1)

        return self._fill([numbers.astype(np.float64) for numbers in self._combinations], n, choose)

    def distance(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of atoms that has to change its species, 0 to 1: half of the sum of differences."""
        return 0.5 * np.abs(np.asarray(a) - b).sum(axis=-1)

    def keeps_rules(self, x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether fractions (n, species) keep bounds and numbers of species, on a grid or not, (n,)."""
        logarithm = torch.from_numpy(np.log(np.maximum(x, SMALLEST_FRACTION)))
        return np.abs(self.from_free(logarithm).numpy() - x).max(axis=1) < 1e-9

    def data_columns(self, x: NDArray[np.float64]) -> dict[str, Any]:
        """None: a data set describes a composition by a formula."""
        return {}

    def reconstruction_terms(self, u: Tensor, x: Tensor, log_std: Tensor) -> tuple[Tensor, ...]:
        """As `Factor.reconstruction_terms`: as many multinomial draws as the grid has steps."""
        divergence = torch.nn.functional.kl_div(
            torch.nn.functional.log_softmax(u, dim=1), x, reduction="none"
        ).sum(dim=1)
        return (self.grid * divergence,)
