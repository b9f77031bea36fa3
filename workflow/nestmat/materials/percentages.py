"""Alloys by percentage: ``Ti-6Al-4V wt%``, ``Fe70Cr18Ni12 at%``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from typing import Literal, NamedTuple, get_args

from pymatgen.core import Element

from nestmat.materials.formula_reader import ELEMENTS, read_amounts
from nestmat.materials.formula_text import formula_error, plain_text

Fractions = Literal["weight", "atomic"]
"""What the numbers of an alloy are fractions of: its weight, or its atoms."""
FRACTIONS: tuple[Fractions, ...] = get_args(Fractions)
_UNIT_OF: Mapping[Fractions, str] = {"weight": "wt%", "atomic": "at%"}
_UNIT = re.compile(
    r"\s*[(\[]?\s*(?:(?P<weight>wt|w|weight|mass)|(?P<atomic>at|a|atomic|mol|mole))\.?[\s-]*%\s*[)\]]?$",
    re.IGNORECASE,
)
_LONGEST_UNIT = 20
_NAME = re.compile(r"[A-Z][a-z]?(?:\s*-\s*(?:[0-9]*\.?[0-9]+\s*[A-Z][a-z]?|[A-Z][a-z]?\s*[0-9]*\.?[0-9]+))+")
_LARGEST_SUM, _ROUNDING = 100, 1
"""Sum of percentages, and by how much rounded ones may miss it."""


class Percentages(NamedTuple):
    """A text with the unit of its numbers taken off.

    Attributes:
        text: The amounts.
        fractions: What they are fractions of.
    """

    text: str
    fractions: Fractions


def split_unit(source: str) -> Percentages | None:
    """A text and the unit behind it; None where it has none."""
    text = source.rstrip()
    end = text[-_LONGEST_UNIT:]
    if "%" not in end or not (match := _UNIT.search(end)):
        return None
    amounts = text[: len(text) - len(end) + match.start()]
    return Percentages(amounts, "weight" if match["weight"] else "atomic")


def with_unit(source: str, fractions: Fractions | None) -> str:
    """A text with a unit behind it, for those that state none themselves.

    Args:
        source: Formula or name of an alloy.
        fractions: What its numbers are fractions of; of None the text stays as it is.

    Example:
        >>> with_unit("Ti-6Al-4V", "weight"), with_unit("Al96Cu4 at%", "weight")
        ('Ti-6Al-4V wt%', 'Al96Cu4 at%')
    """
    if fractions is None or not source.strip() or split_unit(source):
        return source
    return f"{source} {_UNIT_OF[fractions]}"


def read_percentages(percentages: Percentages, source: str) -> dict[str, Fraction]:
    """Atomic fractions by element, in the order of the text.

    The first element of a name with hyphens is the balance: Ti-6Al-4V has 90 % of titanium. A formula states
    all amounts. Those by weight are divided by the atomic masses, and sum to 100 or to 1 within rounding.

    Args:
        percentages: The text, and what its numbers are fractions of.
        source: The text with its unit, for messages.

    Raises:
        InputError: The text is neither a name nor a formula, or the amounts sum to something else.
    """
    text, fractions = plain_text(percentages.text), percentages.fractions
    is_name = _NAME.fullmatch(text) is not None
    amounts = _name_amounts(text, source) if is_name else read_amounts(text, source)
    total = sum(amounts.values(), Fraction(0))
    by_weight = fractions == "weight"
    nearest = 1 if total < 2 else _LARGEST_SUM
    misses = abs(total - nearest) > Fraction(_ROUNDING * nearest, 100)
    if total > _LARGEST_SUM + _ROUNDING or (by_weight and misses):
        raise formula_error(
            source,
            f"has {_UNIT_OF[fractions]} that sum to {float(total):.6g}.",
            "correct the numbers, so that they sum to 100; the first element of a name like Ti-6Al-4V is the "
            "balance.",
        )
    if not by_weight:
        return amounts
    if molecular := [symbol for symbol in amounts if symbol not in ELEMENTS]:
        raise formula_error(
            source, f"states the weight of the ion {molecular[0]}.", "give the weights of elements."
        )
    if any(mark in text for mark in "([{·"):
        raise formula_error(source, "states weights in brackets.", "give the weight of each element once.")
    atoms = {symbol: weight / _mass(symbol) for symbol, weight in amounts.items()}
    whole = sum(atoms.values(), Fraction(0))
    return {symbol: amount / whole for symbol, amount in atoms.items()}


def _name_amounts(text: str, source: str) -> dict[str, Fraction]:
    """Percentages of a name, the first element by difference."""
    base, *parts = re.split(r"\s*-\s*", text)
    amounts = {base: Fraction(0)}
    for part in parts:
        symbol, number = re.sub(r"[0-9.\s]", "", part), re.sub(r"[A-Za-z\s]", "", part)
        if symbol in amounts:
            raise formula_error(source, f"names {symbol} twice.", "state each element once.")
        amounts[symbol] = Fraction(number)
    if unknown := [symbol for symbol in amounts if symbol not in ELEMENTS]:
        raise formula_error(
            source, f"holds {unknown[0]!r}, which is not an element.", "check the spelling and the capitals."
        )
    named = sum(amounts.values(), Fraction(0))
    if named >= _LARGEST_SUM:
        raise formula_error(
            source,
            f"has percentages that sum to {float(named):.6g}, and leaves nothing for {base}.",
            f"correct the numbers; {base}, which comes first, is the balance.",
        )
    return {**amounts, base: _LARGEST_SUM - named}


@cache
def _mass(symbol: str) -> Fraction:
    """Atomic mass in u, as pymatgen states it."""
    return Fraction(str(float(Element(symbol).atomic_mass)))
