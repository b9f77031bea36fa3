"""Statistics of elemental properties over compositions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nestmat.features.block import BlockColumns, BlockKind
from nestmat.features.registry import BLOCKS

if TYPE_CHECKING:
    from nestmat.features.rows import Rows


@BLOCKS.register("composition")
@dataclass(frozen=True)
class Composition(BlockKind):
    """Statistics of elemental properties, as of matminer's ElementProperty.

    Attributes:
        argument: ElementProperty preset, vectorised: magpie, deml, ...
    """

    differentiable: ClassVar[bool] = False
    argument: str

    def compute(self, rows: Rows, levels: Sequence[str] | None) -> BlockColumns:
        """Columns of `nestmat.features.composition.CompositionTable`.

        A row with an element of which the table lacks more than a third of the properties has a fault.
        """
        from nestmat.features.composition import composition_table
        from nestmat.features.elemental_gaps import find_gaps

        table = composition_table(self.argument)
        gaps, faults = find_gaps(rows.formulas, table.properties, table.invented)
        values = np.full((len(rows.table), len(table.columns)), np.nan)
        parsed = {
            position: formula
            for position, formula in enumerate(rows.formulas)
            if formula is not None and position not in faults
        }
        values[list(parsed)] = table.featurize([formula.composition for formula in parsed.values()])
        return BlockColumns(table.columns, values, table.units, faults, gaps=gaps)
