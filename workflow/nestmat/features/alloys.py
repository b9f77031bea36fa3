"""Features of alloys: atomic fractions, and descriptors of solid solutions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from nestmat.errors import InputError
from nestmat.features.block import Block, Fault
from nestmat.materials.alloys import DESCRIPTORS, Elements, descriptors, elements, lacking
from nestmat.materials.formulas import ELEMENTS, Formula


def element_fractions(formulas: Sequence[Formula | None], symbols: Sequence[str]) -> Block:
    """Atomic fractions, one column an element, each row with the sum 1.

    Args:
        formulas: One a row; a row of None stays NaN. Organic ions count by their atoms.
        symbols: Elements that get a column, in this order; a row with another has a fault.

    Raises:
        InputError: A symbol is not one of an element.
    """
    _check(symbols, "elements")
    values, faults = _fractions(formulas, symbols)
    return Block(list(symbols), values, [""] * len(symbols), faults, levels=list(symbols))


def alloy_descriptors(formulas: Sequence[Formula | None], symbols: Sequence[str] | None = None) -> Block:
    """Descriptors of `nestmat.materials.alloys`.

    A row with an element or a pair of elements whose properties are not known has a fault that names it.

    Args:
        formulas: One a row; a row of None stays NaN.
        symbols: Elements that an alloy may hold; a row with another has a fault. All by default.

    Raises:
        InputError: A symbol is not one of an element.
    """
    _check(symbols or (), "alloy")
    present = sorted({e.symbol for f in formulas if f is not None for e in f.composition})
    known = [symbol for symbol in present if not lacking(symbol)]
    allowed = known if symbols is None else [symbol for symbol in known if symbol in symbols]
    fractions, faults = _fractions(formulas, allowed)
    for position, formula in enumerate(formulas):
        if position in faults and formula is not None:
            faults[position] = _unknown(formula, symbols) or faults[position]
    table = elements(tuple(allowed))
    for one, other in table.unknown:
        both = (fractions[:, allowed.index(one)] > 0) & (fractions[:, allowed.index(other)] > 0)
        for position in np.flatnonzero(both).tolist():
            fractions[position] = np.nan
            reason = f"holds {one} and {other}, of which no enthalpy of mixing is known. Leave it out."
            faults[position] = Fault("formula", _text(formulas[position]), reason)
    units, descriptions = zip(*DESCRIPTORS.values(), strict=True)
    values = descriptors(torch.from_numpy(fractions), table).numpy()
    return Block(list(DESCRIPTORS), values, list(units), faults, descriptions=list(descriptions))


def design_table(symbols: Sequence[str]) -> Elements:
    """Properties of the elements of a design space, which may all be mixed.

    Raises:
        InputError: A property of an element or of a pair is not known.
    """
    table = elements(tuple(symbols))
    for one, other in table.unknown:
        raise InputError(
            "is a pair of which no enthalpy of mixing is known.",
            column="space.elements",
            value=f"{one}-{other}",
            remedy="leave one of them out of the space.",
        )
    return table


def _check(symbols: Sequence[str], column: str) -> None:
    for symbol in symbols:
        if symbol not in ELEMENTS or list(symbols).count(symbol) > 1:
            what = "comes twice." if symbol in ELEMENTS else "is not an element."
            raise InputError(what, column=column, value=symbol, remedy="correct the feature block.")


def _text(formula: Formula | None) -> str:
    return "" if formula is None else formula.text


def _fractions(
    formulas: Sequence[Formula | None], symbols: Sequence[str]
) -> tuple[NDArray[np.float64], dict[int, Fault]]:
    """Fractions (n, symbols), NaN where a row holds another element, and these rows' faults."""
    place = {symbol: k for k, symbol in enumerate(symbols)}
    values = np.full((len(formulas), len(symbols)), np.nan)
    faults = {}
    for position, formula in enumerate(formulas):
        if formula is None:
            continue
        amounts = {element.symbol: amount for element, amount in formula.composition.items()}
        if others := sorted(set(amounts) - set(place)):
            reason = f"holds {', '.join(others)}, outside {', '.join(symbols)}."
            faults[position] = Fault("formula", formula.text, reason)
            continue
        values[position] = 0.0
        values[position, [place[symbol] for symbol in amounts]] = list(amounts.values())
    return values / values.sum(axis=1, keepdims=True), faults


def _unknown(formula: Formula, symbols: Sequence[str] | None) -> Fault | None:
    """The fault of a row with an allowed element that has not all properties."""
    for element in formula.composition:
        names = lacking(element.symbol) if symbols is None or element.symbol in symbols else []
        if names:
            what = f"holds {element.symbol}, of which no {names[0].replace('_', ' ')} is known."
            return Fault("formula", formula.text, what)
    return None
