"""A category column, as one column a level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nestmat.features.block import BlockColumns, BlockKind, Fault, Role, SpaceColumns
from nestmat.features.registry import BLOCKS

if TYPE_CHECKING:
    from nestmat.features.differentiable import SpaceNumbers
    from nestmat.features.rows import Rows


@BLOCKS.register("one_hot")
@dataclass(frozen=True)
class OneHot(BlockKind):
    """A category column, as one column a level.

    Attributes:
        argument: A category column, as one column a level.
    """

    role: ClassVar[Role] = "categorical"
    argument: str

    @property
    def category_columns(self) -> list[str]:
        """Category columns of the data set that the block is made of."""
        return [self.argument]

    def compute(self, rows: Rows, levels: Sequence[str] | None) -> BlockColumns:
        """Columns ``<name>=<level>``, 1 for the level of the row; a row with an unknown level has a fault."""
        name = self.argument
        rows.require([name], "A one_hot block")
        labels = rows.labels(name)
        levels = sorted({label for label in labels if label}) if levels is None else levels
        code = {level: index for index, level in enumerate(levels)}
        faults = {
            position: Fault(
                name,
                label,
                f"is a category that the training data lacks; it has {', '.join(levels)}. "
                "Leave the row out, or train on data that holds it.",
            )
            for position, label in enumerate(labels)
            if label and label not in code
        }
        values = np.zeros((len(labels), len(levels)))
        for position, label in enumerate(labels):
            if label in code:
                values[position, code[label]] = 1.0
        columns = [f"{name}={level}" for level in levels]
        return BlockColumns(columns, values, [""] * len(levels), faults, levels=list(levels))

    def map_numbers(self, numbers: SpaceNumbers) -> SpaceColumns:
        """Levels of the space; those that it leaves out are 0."""
        return numbers.equal_columns(numbers.starting_with(f"{self.argument}="))
