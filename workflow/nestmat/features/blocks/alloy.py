"""Descriptors of solid solutions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import MinLen

from nestmat.errors import InputError
from nestmat.features.block import BlockColumns, BlockKind, Fault, SpaceColumns
from nestmat.features.blocks.elements import check_symbols, fractions_of
from nestmat.features.registry import BLOCKS

if TYPE_CHECKING:
    from nestmat.features.differentiable import SpaceNumbers
    from nestmat.features.rows import Rows
    from nestmat.materials.alloys import Elements
    from nestmat.materials.formulas import Formula


@BLOCKS.register("alloy")
@dataclass(frozen=True)
class Alloy(BlockKind):
    """Descriptors of solid solutions, such as mixing enthalpy, mismatch of size and VEC.

    Attributes:
        argument: Descriptors of solid solutions, such as mixing enthalpy, mismatch of size and VEC: of alloys
            of these elements alone, or, with true, of all.
    """

    argument: Literal[True] | Annotated[list[str], MinLen(1)]

    @property
    def _symbols(self) -> list[str] | None:
        """Elements that an alloy may hold; None for all."""
        return self.argument if isinstance(self.argument, list) else None

    def compute(self, rows: Rows, levels: Sequence[str] | None) -> BlockColumns:
        """See `alloy_descriptors`."""
        return alloy_descriptors(rows.formulas, self._symbols)

    def map_numbers(self, numbers: SpaceNumbers) -> SpaceColumns:
        """The descriptors of the elements of the space."""
        from nestmat.features.feature_map import Derived
        from nestmat.materials.alloys import DESCRIPTORS, descriptors

        symbols = tuple(numbers.elements)
        if not symbols:
            raise InputError(
                "The block describes alloys, and the design space has no elements.",
                remedy="search a space of elements.",
            )
        if self._symbols is not None:
            numbers.require_trained(symbols, self._symbols)
        function = partial(descriptors, table=design_table(symbols))
        derived = Derived(tuple(DESCRIPTORS), symbols, function)
        return SpaceColumns({column: {} for column in DESCRIPTORS}, (derived,))


def alloy_descriptors(
    formulas: Sequence[Formula | None], symbols: Sequence[str] | None = None
) -> BlockColumns:
    """Descriptors of `nestmat.materials.alloys`.

    A row with an element or a pair of elements whose properties are not known has a fault that names it.

    Args:
        formulas: One a row; a row of None stays NaN.
        symbols: Elements that an alloy may hold; a row with another has a fault. All by default.

    Raises:
        InputError: A symbol is not one of an element.
    """
    import torch

    from nestmat.materials.alloys import DESCRIPTORS, descriptors, elements, missing_properties

    check_symbols(symbols or (), "alloy")
    present = sorted({e.symbol for f in formulas if f is not None for e in f.composition})
    complete = [symbol for symbol in present if not missing_properties(symbol)]
    allowed = complete if symbols is None else [symbol for symbol in complete if symbol in symbols]
    fractions, faults = fractions_of(formulas, allowed)
    for position, formula in enumerate(formulas):
        if position in faults and formula is not None:
            unlisted = sorted({e.symbol for e in formula.composition} - set(symbols or present))
            reason = f"holds {', '.join(unlisted)}, outside {', '.join(symbols or ())}."
            own = Fault("formula", formula.text, reason) if unlisted else faults[position]
            faults[position] = _fault_of_property(formula, symbols) or own
    table = elements(tuple(allowed))
    for first, second in table.unknown:
        holds_pair = (fractions[:, allowed.index(first)] > 0) & (fractions[:, allowed.index(second)] > 0)
        for position in np.flatnonzero(holds_pair).tolist():
            fractions[position] = np.nan
            reason = f"holds {first} and {second}, of which no enthalpy of mixing is known. Leave it out."
            faults[position] = Fault("formula", _text(formulas[position]), reason)
    units, descriptions = zip(*DESCRIPTORS.values(), strict=True)
    values = descriptors(torch.from_numpy(fractions), table).numpy()
    return BlockColumns(list(DESCRIPTORS), values, list(units), faults, descriptions=list(descriptions))


def design_table(symbols: Sequence[str]) -> Elements:
    """Properties of the elements of a design space, which may all be mixed.

    Args:
        symbols: The elements.

    Raises:
        InputError: A property of an element or of a pair is not known.
    """
    from nestmat.materials.alloys import elements

    table = elements(tuple(symbols))
    for first, second in table.unknown:
        raise InputError(
            f"The enthalpy of mixing of the pair {first}-{second} is not known.",
            key="space.elements",
            remedy="leave one of them out of the space.",
        )
    return table


def _text(formula: Formula | None) -> str:
    return "" if formula is None else formula.text


def _fault_of_property(formula: Formula, symbols: Sequence[str] | None) -> Fault | None:
    """The fault of a row with an allowed element that has not all properties."""
    from nestmat.materials.alloys import missing_properties

    for element in formula.composition:
        is_allowed = symbols is None or element.symbol in symbols
        names = missing_properties(element.symbol) if is_allowed else []
        if names:
            reason = f"holds {element.symbol}, of which no {names[0].replace('_', ' ')} is known."
            return Fault("formula", formula.text, reason)
    return None
