"""Runs of rows that are alike, of which one row stands for all."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

LARGEST_SHARE = 0.8
"""Largest number of runs a row for which it pays to compute one row of each."""


def differs(rows: Tensor) -> Tensor:
    """Whether a row is unlike the one before it, (n - 1,), of rows (n, columns)."""
    return (rows[1:] != rows[:-1]).any(dim=1)


@dataclass(frozen=True)
class Runs:
    """Runs of rows that are alike.

    Attributes:
        changes: Whether a row is unlike the one before it, (n - 1,).
        count: Number of runs; that of rows where each row is taken as a run.
        first: First row of each run, (runs,); None where each row is one.
        run: Run of each row, (n,); None where each row is one.
    """

    changes: Tensor
    count: int
    first: Tensor | None = None
    run: Tensor | None = None

    @classmethod
    def of(cls, changes: Tensor, n: int) -> Runs:
        """The runs of n rows; each row is one where few are longer.

        Args:
            changes: As of `differs`.
            n: Number of rows.

        Example:
            >>> import torch
            >>> runs = Runs.of(differs(torch.tensor([[1.0], [1.0], [1.0], [2.0]])), 4)
            >>> runs.first.tolist(), runs.expand(torch.tensor([5, 7])).tolist()
            ([0, 3], [5, 5, 5, 7])
        """
        count = 1 + int(changes.sum())
        if count > LARGEST_SHARE * n:
            return cls(changes, n)
        starts = changes.new_ones(n)
        starts[1:] = changes
        return cls(changes, count, starts.nonzero()[:, 0], starts.cumsum(0) - 1)

    @classmethod
    def of_rows(cls, rows: Tensor) -> Runs:
        """The runs of rows (n, columns); each row is one where it needs a gradient or a device has it."""
        if rows.requires_grad or rows.device.type != "cpu":
            return cls(differs(rows), len(rows))
        return cls.of(differs(rows), len(rows))

    def select(self, rows: Tensor) -> Tensor:
        """The first row of each run, (runs, ...), of all rows (n, ...)."""
        return rows if self.first is None else rows[self.first]

    def expand(self, values: Tensor, finer: Runs | None = None) -> Tensor:
        """Values of all rows, (..., n), of those of the runs (..., runs).

        Args:
            values: Values of the runs.
            finer: Runs that are parts of these, to expand to in place of rows.
        """
        if self.run is None or (finer is not None and finer.count == self.count):
            return values
        run = self.run if finer is None or finer.first is None else self.run[finer.first]
        return values[..., run]
