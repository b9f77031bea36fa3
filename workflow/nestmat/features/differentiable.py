"""From the numbers of a design space to the features of a scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nestmat.errors import InputError
from nestmat.features.block import BlockKind, SpaceColumns
from nestmat.features.registry import Buildable, build_block

if TYPE_CHECKING:
    from nestmat.features.feature_map import FeatureMap


@dataclass(frozen=True)
class SpaceNumbers:
    """Numbers of a design space, and the feature columns that a block is to make of them.

    Attributes:
        columns: Columns of the space: site shares ``<site>:<ion>``, shares of elements by symbol, levels
            ``<name>=<level>`` and variables.
        trained: Columns of the block, as the scale was trained on.
    """

    columns: tuple[str, ...]
    trained: Sequence[str]

    @property
    def elements(self) -> list[str]:
        """Numbers that are shares of elements."""
        from nestmat.materials.formulas import ELEMENTS

        return [number for number in self.columns if number in ELEMENTS]

    def starting_with(self, prefix: str) -> list[str]:
        """Numbers whose names start with a text."""
        return [number for number in self.columns if number.startswith(prefix)]

    def require(self, names: Sequence[str]) -> None:
        """Check that the space has some numbers.

        Raises:
            InputError: One is missing.
        """
        if missing := [name for name in names if name not in self.columns]:
            raise InputError(
                f"The block needs {', '.join(missing)}, which the design space lacks.",
                remedy="add it to the variables of the space.",
            )

    def require_trained(self, names: Sequence[str], trained: Sequence[str]) -> None:
        """Check that all ions, elements or levels of the space were trained on.

        Raises:
            InputError: One was not.
        """
        if unknown := sorted(set(names) - set(trained)):
            raise InputError(
                f"The block has no column for {', '.join(unknown)} of the design space.",
                remedy="leave it out of the space, or train on data that holds it.",
            )

    def equal_columns(self, names: Sequence[str]) -> SpaceColumns:
        """Trained columns that are numbers of the space; those that it leaves out are 0.

        Args:
            names: Numbers of the space that are ions, elements or levels of the block; where there are none,
                the space has to have every trained column.

        Raises:
            InputError: The space has a number that was not trained on, or lacks one.
        """
        self.require_trained(names, self.trained)
        if not names:
            self.require(self.trained)
        return SpaceColumns({name: {name: 1.0} if name in self.columns else {} for name in self.trained})


def feature_map(
    blocks: Mapping[str, BlockKind | Buildable | Mapping[str, Any]],
    columns: Mapping[str, Sequence[str]],
    numbers: Sequence[str],
) -> FeatureMap:
    """How the features of a scale follow from the numbers of a material.

    Args:
        blocks: Feature blocks of the scale.
        columns: Columns of each block, as the scale was trained on.
        numbers: Columns of the design space: site shares ``<site>:<ion>``, shares of elements by symbol,
            levels ``<name>=<level>`` and variables.

    Raises:
        InputError: A block cannot be computed from these numbers, or the space has an ion or a level that the
            scale was not trained on.
    """
    from nestmat.features.feature_map import FeatureMap

    mapped = []
    for name, block in blocks.items():
        try:
            mapped.append(build_block(block).map_numbers(SpaceNumbers(tuple(numbers), columns[name])))
        except InputError as error:
            if error.key:
                raise
            raise InputError(
                error.message, key=f"features.{name}", value=error.value, remedy=error.remedy
            ) from error
    weights = {column: numbers_of for part in mapped for column, numbers_of in part.weights.items()}
    return FeatureMap(tuple(numbers), weights, tuple(entry for part in mapped for entry in part.derived))
