"""Atomic fractions of elements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from nestmat.errors import InputError
from nestmat.features.block import BlockColumns, BlockKind, Fault, Role, SpaceColumns
from nestmat.features.registry import BLOCKS

if TYPE_CHECKING:
    from nestmat.features.differentiable import SpaceNumbers
    from nestmat.features.rows import Rows
    from nestmat.materials.formulas import Formula


@BLOCKS.register("elements")
@dataclass(frozen=True)
class Elements(BlockKind):
    """Atomic fractions of these elements; a row with another is rejected.

    Attributes:
        argument: Atomic fractions of these elements; a row with another is rejected.
    """

    role: ClassVar[Role] = "simplex"
    argument: list[str] = field(metadata={"min_length": 1})

    def compute(self, rows: Rows, levels: Sequence[str] | None) -> BlockColumns:
        """See `element_fractions`."""
        return element_fractions(rows.formulas, self.argument)

    def map_numbers(self, numbers: SpaceNumbers) -> SpaceColumns:
        """Shares of elements of the space; elements that it leaves out are 0."""
        return numbers.equal_columns(numbers.elements)


def element_fractions(formulas: Sequence[Formula | None], symbols: Sequence[str]) -> BlockColumns:
    """Atomic fractions, one column an element, each row with the sum 1.

    Args:
        formulas: One a row; a row of None stays NaN. Organic ions count by their atoms.
        symbols: Elements that get a column, in this order; a row with another has a fault.

    Raises:
        InputError: A symbol is not one of an element.
    """
    check_symbols(symbols, "elements")
    values, faults = fractions_of(formulas, symbols)
    return BlockColumns(list(symbols), values, [""] * len(symbols), faults, levels=list(symbols))


def check_symbols(symbols: Sequence[str], key: str) -> None:
    """Check the elements that a block names.

    Args:
        symbols: What is to be symbols of elements, each once.
        key: Kind of the block.

    Raises:
        InputError: A symbol is not one of an element, or comes twice.
    """
    from nestmat.materials.formulas import ELEMENTS

    for symbol in symbols:
        if symbol not in ELEMENTS or list(symbols).count(symbol) > 1:
            fault = "comes twice" if symbol in ELEMENTS else "is not an element"
            raise InputError(
                f"The symbol {symbol!r} {fault}.", key=key, value=symbol, remedy="correct the feature block."
            )


def fractions_of(
    formulas: Sequence[Formula | None], symbols: Sequence[str]
) -> tuple[NDArray[np.float64], dict[int, Fault]]:
    """Fractions (n, symbols), NaN where a row holds another element, and these rows' faults.

    Args:
        formulas: One a row; a row of None stays NaN.
        symbols: Elements, in the order of the columns.
    """
    place = {symbol: k for k, symbol in enumerate(symbols)}
    values = np.full((len(formulas), len(symbols)), np.nan)
    faults = {}
    for position, formula in enumerate(formulas):
        if formula is None:
            continue
        amounts = {element.symbol: amount for element, amount in formula.composition.items()}
        if unlisted := sorted(set(amounts) - set(place)):
            reason = f"holds {', '.join(unlisted)}, outside {', '.join(symbols)}."
            faults[position] = Fault("formula", formula.text, reason)
            continue
        values[position] = 0.0
        values[position, [place[symbol] for symbol in amounts]] = list(amounts.values())
    return values / values.sum(axis=1, keepdims=True), faults
