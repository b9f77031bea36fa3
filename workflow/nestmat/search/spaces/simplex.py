"""Shares of species on one site, few at a time and within bounds, on a grid that can be made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nestmat.errors import InputError

LARGEST_COUNT = 2**52
"""Most points that are numbered: sums over a thousand choices stay within a signed 64-bit integer."""

LARGEST_TABLE = 100_000
"""Most points that are kept in memory rather than made anew."""

_ROUNDING = 1e-9


class Simplex:
    """Shares that are not negative and have the sum 1.

    A species is present with at least ``least``, or not at all; from ``fewest`` to ``most`` species are
    present. This and the bounds hold in all that the class returns.

    Args:
        species: Names.
        grid: Shares of grid points are multiples of 1/grid.
        site: Prefix of the columns, ``<site>:<species>``; none if empty.
        fewest: Least number of species that are present.
        most: Largest number of species that are present; all by default.
        least: Smallest share of a species that is present.
        bounds: Smallest and largest share by species; with a smallest share above 0 it is always present.

    Attributes:
        columns: Names of the shares.
        free: Number of unconstrained reals that the shares are mapped from.
        count: Number of points on the grid.

    Raises:
        InputError: The arguments contradict each other, or some choice of species cannot meet them.
    """

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
        self.free = len(self.species)
        low, high = np.array([self.bounds.get(name, (0.0, 1.0)) for name in self.species]).T
        self._required = low > 0
        # Shares of a species that is present, as numbers and as steps of the grid.
        self._low, self._high = np.maximum(low, least), high
        self._low_steps = np.maximum(np.ceil(self._low * grid - _ROUNDING), 1).astype(np.int64)
        self._high_steps = np.floor(high * grid + _ROUNDING).astype(np.int64)
        self._check_reach(self._low, self._high, 1)
        self._check_reach(self._low_steps, self._high_steps, grid)
        self._ways = self._count_ways()
        self.count = int(self._ways[0][:, grid].sum())

    def _fail(self, column: str, value: object, message: str, remedy: str) -> NoReturn:
        site = f"on site {self.site} " if self.site else ""
        raise InputError(site + message, column=column, value=value, remedy=remedy)

    def _check(self) -> None:
        if not self.species or len(set(self.species)) < len(self.species):
            self._fail(
                "species", list(self.species), "is empty or has repetitions.", "name each species once."
            )
        if not isinstance(self.grid, int) or not 1 <= self.grid <= 1000:
            self._fail("grid", self.grid, "is not a whole number from 1 to 1000.", "choose 8 for eighths.")
        if not 1 <= self.fewest <= self.most <= len(self.species):
            self._fail(
                "most",
                [self.fewest, self.most],
                f"cannot be the least and largest number out of {len(self.species)} species.",
                "choose 1 <= fewest <= most <= number of species.",
            )
        if not 0 <= self.least <= 1:
            self._fail("least", self.least, "is not a share.", "choose a number from 0 to 1.")
        for name, (low, high) in self.bounds.items():
            if name not in self.species:
                self._fail("bounds", name, "is not a species.", f"choose from {', '.join(self.species)}.")
            if not 0 <= low <= high <= 1 or high == 0:
                self._fail(
                    f"bounds.{name}",
                    [low, high],
                    "is not a range of shares.",
                    "choose 0 <= low <= high <= 1, and leave a forbidden species out of the list.",
                )

    def _check_reach(self, low: NDArray, high: NDArray, total: int) -> None:
        """Whatever species are chosen, their shares must be able to reach the sum 1."""
        others = ~self._required
        more = self.most - int(self._required.sum())
        if more < 0:
            self._fail(
                "bounds",
                self.bounds,
                f"requires more than {self.most} species.",
                "raise most, or drop a bound.",
            )
        for name in np.array(self.species)[low > high + _ROUNDING]:
            self._fail(
                "least",
                self.least,
                f"leaves {name} no share that its bounds and the grid of 1/{self.grid} allow.",
                "choose another grid, least or bound.",
            )
        if low[self._required].sum() + np.sort(low[others])[::-1][:more].sum() > total + _ROUNDING:
            self._fail(
                "most",
                self.most,
                "species at their smallest shares exceed 1.",
                "lower most, least or the bounds.",
            )
        if high[self._required].sum() + np.sort(high[others])[:more].sum() < total - _ROUNDING:
            self._fail(
                "most",
                self.most,
                "species at their largest shares may not reach 1.",
                "raise most or the largest shares, or leave a species out.",
            )

    def _present(
        self, share: NDArray[np.float64], enough: NDArray[np.float64], high: NDArray[np.float64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which species may be present where shares are wished for, and which of them must.

        Those must be that always are, and as many as must be, the most wished for first. Then may those with
        ``enough``, and those without which the others cannot reach the sum 1, while there is room.

        Args:
            share: Wishes, (n, species), of sum 1.
            enough: Wish from which a species may be present; one of 0 is never enough.
            high: Largest share of each species.
        """
        order = np.argsort(-(share + 2.0 * self._required), axis=1, kind="stable")[:, : self.most]
        wish = np.take_along_axis(share, order, axis=1)
        before = np.cumsum(high[order], axis=1) - high[order]
        first = self._required[order] | (np.arange(self.most) < self.fewest)
        wanted = (wish > 0) & (wish >= enough[order] - _ROUNDING)
        must, may = np.zeros(share.shape, dtype=bool), np.zeros(share.shape, dtype=bool)
        np.put_along_axis(must, order, first, axis=1)
        np.put_along_axis(may, order, first | wanted | (before < 1 - _ROUNDING), axis=1)
        return may, must

    def from_free(self, u: Tensor) -> Tensor:
        """Shares of unconstrained reals, differentiable within a choice of species.

        A softmax over the species that are present, scaled so that the shares that are not at a bound fill
        what the others leave (variable fixing; Bitran & Hax, Naval Res. Logist. Q. 28, 1 (1981)).

        Args:
            u: (n, species).

        Returns:
            (n, species), float64.
        """
        weight = torch.softmax(u.double(), dim=1)
        present = torch.from_numpy(self._present(weight.detach().numpy(), 0.5 * self._low, self._high)[0])
        # Far below every other share, and above the smallest number.
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
        """Unconstrained reals (n, species) that `from_free` maps to the shares ``x``, where no bound binds.

        Absent species come back as far below the others as the softmax can still tell a gradient of.
        """
        return np.log(np.maximum(np.asarray(x, dtype=np.float64), 1e-3))

    @staticmethod
    def _at_bounds(weight: Tensor, low: Tensor, high: Tensor, absent: Tensor) -> Tensor:
        """-1 where a share is at its smallest value, 1 at its largest, 0 between; (n, species)."""
        fixed = torch.where(absent, -1, 0)
        for _ in range(weight.shape[1]):
            rest = 1.0 - torch.where(fixed == -1, low, torch.where(fixed == 1, high, 0.0)).sum(dim=1)
            free = torch.where(fixed == 0, weight, 0.0)
            total = free.sum(dim=1)
            share = free * (rest / torch.where(total > 0, total, 1.0))[:, None]
            under = torch.where(fixed == 0, low - share, 0.0).clamp_min(0.0)
            over = torch.where(fixed == 0, share - high, 0.0).clamp_min(0.0)
            if not (under.any() or over.any()):
                break
            lack = under.sum(dim=1, keepdim=True) >= over.sum(dim=1, keepdim=True)
            fixed = torch.where(lack & (under > 0), -1, torch.where(~lack & (over > 0), 1, fixed))
        return fixed

    def snap(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The point of the grid next to each row of ``x`` (n, species); points of the grid stay as they are.

        The largest remainders are rounded up; steps that bounds or absent species leave over go where they
        change a share least.
        """
        wish = np.asarray(x, dtype=np.float64) * self.grid
        # From one step on a share has no gap to jump over: rounding decides whether it is there.
        single = self._low_steps == 1
        enough = np.where(single, 0.0, 0.5 * self._low_steps / self.grid)
        may, must = self._present(wish / self.grid, enough, self._high_steps / self.grid)
        low, high = self._low_steps * (must | (may & ~single)), self._high_steps * may
        steps = np.clip(np.floor(wish + _ROUNDING).astype(np.int64), low, high)
        rows = np.arange(len(steps))
        while (left := self.grid - steps.sum(axis=1)).any():
            gap = wish - steps
            up = np.where(steps < high, gap, -np.inf).argmax(axis=1)
            down = np.where(steps > low, gap, np.inf).argmin(axis=1)
            np.add.at(steps, (rows, np.where(left > 0, up, down)), np.sign(left))
        return steps / self.grid

    def step(self, x: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """A point of the grid next to each row of ``x``: some steps move from one species to another.

        One step, or as many as the giving species has left, or the receiving one needs to be present.
        """
        steps = np.rint(np.asarray(x) * self.grid).astype(np.int64)
        rows = np.arange(len(steps))
        giver = np.where(steps > 0, random.random(steps.shape), -1.0).argmax(axis=1)
        taker = (giver + random.integers(1, max(2, len(self.species)), size=len(steps))) % len(self.species)
        least = np.where(steps[rows, taker] == 0, self._low_steps[taker], 1)
        rest = steps[rows, giver] - least
        moved = np.where(rest < self._low_steps[giver], steps[rows, giver], least)
        steps[rows, giver] -= moved
        steps[rows, taker] += moved
        return self.snap(steps / self.grid)

    def _count_ways(self) -> list[NDArray]:
        """Number of ways to fill the grid with the species from j on.

        Returns:
            For each j an array (present, steps) of whole numbers of any size: ways to place so many steps on
            the species from j on with so many of them present. Ways from the first species on are those of
            the numbers of species that are allowed.
        """
        size = (self.most + 1, self.grid + 1)
        ways = [np.zeros(size, dtype=object)]
        ways[0][0, 0] = 1
        for low, high, required in zip(
            self._low_steps[::-1], self._high_steps[::-1], self._required[::-1], strict=True
        ):
            after = ways[-1]
            here = np.zeros(size, dtype=object) if required else after.copy()
            for steps in range(low, high + 1):
                here[1:, steps:] += after[:-1, : self.grid + 1 - steps]
            ways.append(here)
        ways[-1][: self.fewest] = 0
        return ways[::-1]

    @cached_property
    def _numbered(self) -> list[NDArray[np.int64]]:
        if self.count > LARGEST_COUNT:
            self._fail(
                "grid",
                self.grid,
                f"gives {self.count:.3g} points, too many to number.",
                "choose a coarser grid, fewer species at a time, or a larger least share.",
            )
        return [np.minimum(ways, LARGEST_COUNT).astype(np.int64) for ways in self._ways]

    def points(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Points of the grid by number.

        The order is that of the shares of the first species, then the second, and so on, within the number
        of species that are present.

        Args:
            index: From 0 to ``count`` - 1, (n,).

        Returns:
            (n, species).

        Raises:
            InputError: There are more points than can be numbered.
        """
        return self._table[index] if self.count <= LARGEST_TABLE else self._walk(np.asarray(index))

    @cached_property
    def _table(self) -> NDArray[np.float64]:
        return self._walk(np.arange(self.count))

    def _walk(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        rest = index.astype(np.int64)

        def choose(ways: NDArray) -> NDArray[np.int64]:
            ends = np.cumsum(ways, axis=1)
            pick = (ends <= rest[:, None]).sum(axis=1)
            rest[:] -= np.where(pick > 0, ends[np.arange(len(ends)), pick - 1], 0)
            return pick

        return self._fill(self._numbered, len(rest), choose)

    def _fill(
        self, ways: Sequence[NDArray], n: int, choose: Callable[[NDArray], NDArray[np.int64]]
    ) -> NDArray[np.float64]:
        """Points (n, species), by a choice of how many species are present, then of the steps of each.

        Args:
            ways: What `_count_ways` gives, as numbers of one type.
            n: Number of points.
            choose: Picks a column of ways (n, choices) in each row, one of more than 0 ways.
        """
        present = choose(np.broadcast_to(ways[0][:, self.grid], (n, self.most + 1)))
        left = np.full(n, self.grid)
        steps = np.zeros((n, len(self.species)), dtype=np.int64)
        for j, after in enumerate(ways[1:]):
            choices = self._choices(j)
            taken = present[:, None] - (choices > 0)
            remain = left[:, None] - choices
            possible = (taken >= 0) & (remain >= 0)
            pick = choose(np.where(possible, after[np.maximum(taken, 0), np.maximum(remain, 0)], 0))
            steps[:, j] = choices[pick]
            present = present - (steps[:, j] > 0)
            left -= steps[:, j]
        return steps / self.grid

    def _choices(self, j: int) -> NDArray[np.int64]:
        """Steps that species j may have."""
        some = np.arange(self._low_steps[j], self._high_steps[j] + 1)
        return some if self._required[j] else np.concatenate([[0], some])

    def sample(self, n: int, random: np.random.Generator) -> NDArray[np.float64]:
        """Draw points of the grid, each equally likely; (n, species)."""
        if self.count <= LARGEST_COUNT:
            return self.points(random.integers(self.count, size=n))

        def choose(ways: NDArray) -> NDArray[np.int64]:
            ends = np.cumsum(ways, axis=1)
            # Below the last end also where rounding would reach it.
            at = random.random(len(ends)) * ends[:, -1] * (1 - 1e-12)
            return (ends <= at[:, None]).sum(axis=1)

        return self._fill([ways.astype(np.float64) for ways in self._ways], n, choose)

    def distance(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share that has to move from one species to others, 0 to 1: half of the sum of differences."""
        return 0.5 * np.abs(np.asarray(a) - b).sum(axis=-1)
