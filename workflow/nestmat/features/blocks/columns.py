"""Columns of the data set, taken as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nestmat.features.block import BlockColumns, BlockKind, SpaceColumns
from nestmat.features.registry import BLOCKS
from nestmat.tables import Column

if TYPE_CHECKING:
    from nestmat.features.differentiable import SpaceNumbers
    from nestmat.features.rows import Rows


@BLOCKS.register("columns")
@dataclass(frozen=True)
class Columns(BlockKind):
    """Columns of the data set, taken as they are.

    Attributes:
        argument: Columns of the data set, taken as they are.
    """

    argument: list[str]

    @property
    def number_columns(self) -> list[str]:
        """Number columns of the data set that the block is made of."""
        return self.argument

    @property
    def copied_columns(self) -> list[str]:
        """Number columns that the block takes as they are."""
        return self.argument

    def compute(self, rows: Rows, levels: Sequence[str] | None) -> BlockColumns:
        """Values of the columns; NaN for columns that the table lacks."""
        values = np.full((len(rows.table), len(self.argument)), np.nan)
        for index, name in enumerate(self.argument):
            if name in rows.table.columns:
                values[:, index] = rows.numbers(name)
        declared = [rows.schema.get(name, Column("float64")) for name in self.argument]
        return BlockColumns(
            list(self.argument),
            values,
            [column.unit for column in declared],
            descriptions=[column.description for column in declared],
        )

    def map_numbers(self, numbers: SpaceNumbers) -> SpaceColumns:
        """Variables of the space of the same names."""
        return numbers.equal_columns([])
