"""Bonds of 2H monolayers MX2 whose atoms sit at fixed fractions of their cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nestmat.features.block import BlockColumns, BlockKind, Fault, SpaceColumns, format_cell
from nestmat.features.registry import BLOCKS
from nestmat.materials.geometry import CELL

if TYPE_CHECKING:
    from nestmat.features.differentiable import SpaceNumbers
    from nestmat.features.rows import Rows


@BLOCKS.register("monolayer")
@dataclass(frozen=True)
class Monolayer(BlockKind):
    """Bonds of a 2H monolayer MX2 whose atoms sit at fixed fractions of its cell, whichever cell that is.

    They follow from the columns `a`, `b`, `c`, in angstrom, c across the layer, and `alpha`, `beta`,
    `gamma`, in degrees.

    Attributes:
        height: X above the plane of M, as a fraction of c.
    """

    height: float = field(default=0.129, metadata={"gt": 0, "lt": 0.5})

    @property
    def number_columns(self) -> list[str]:
        """Number columns of the data set that the block is made of."""
        return list(CELL)

    def compute(self, rows: Rows, levels: Sequence[str] | None) -> BlockColumns:
        """Columns of `nestmat.materials.monolayers.BONDS`; a row whose angles make no cell has a fault."""
        import torch

        from nestmat.materials.monolayers import BONDS, bonds

        rows.require(CELL, "A block of a monolayer")
        cell = np.column_stack([rows.numbers(name) for name in CELL])
        values = bonds(torch.from_numpy(cell), self.height).numpy()
        units, descriptions = zip(*BONDS.values(), strict=True)
        reason = "makes no cell with the other lengths and angles."
        no_cell = np.flatnonzero(np.isfinite(cell).all(axis=1) & ~np.isfinite(values).all(axis=1))
        faults = {int(k): Fault(CELL[-1], format_cell(cell[k, -1]), reason) for k in no_cell}
        return BlockColumns(list(BONDS), values, list(units), faults, descriptions=list(descriptions))

    def map_numbers(self, numbers: SpaceNumbers) -> SpaceColumns:
        """The bonds of the cell, whose lengths and angles are variables of the space."""
        from functools import partial

        from nestmat.features.feature_map import Derived
        from nestmat.materials.monolayers import BONDS, bonds

        numbers.require(CELL)
        derived = Derived(tuple(BONDS), CELL, partial(bonds, height=self.height))
        return SpaceColumns({column: {} for column in BONDS}, (derived,))
