"""Texts that are no formula of a material, though a chemist reads them: charges, unknown amounts, names."""

from __future__ import annotations

import re
from typing import NamedTuple

from nestmat.errors import InputError
from nestmat.materials.formula_text import PART, formula_error


class _Notation(NamedTuple):
    """A notation that is refused.

    Attributes:
        pattern: What it looks like, anywhere in the text.
        reason: What is said of it, with ``{0!r}`` for what matches.
        remedy: What to write instead.
        is_at_fault: Whether only what matches at the place where reading ended counts.
    """

    pattern: re.Pattern[str]
    reason: str
    remedy: str
    is_at_fault: bool = False


_OXIDATION_NUMBER = re.compile(r"\((?:II|III|IV|VI|VII|VIII)\)")
_OXYGEN_OF_UNKNOWN_AMOUNT = re.compile(r"O\s*Y$")
_VARIABLE = "(?:[xzwδεΔ∂]|(?<!D)y)"
_GIVE_NUMBER = "give the amount as a number, or leave the row out."
_NO_FORMULAS = [
    _Notation(re.compile(pattern), reason, remedy, is_at_fault)
    for pattern, reason, remedy, is_at_fault in (
        (
            r"^[+\-]?[0-9.,]+(?:[eE][+\-]?[0-9]+)?$",
            "is a number.",
            "name the column that holds formulas.",
            False,
        ),
        (
            r"^[a-zα-ωΑ-Ω]'?-(?=[A-Z(\[])",
            "starts with {0!r}, the name of a structure.",
            "leave it out.",
            False,
        ),
        (
            rf"[+\-±]\s*[0-9.]*(?:{_VARIABLE}(?![a-z])|[dXYZD](?=$|[)\]}}\s]))",
            "states the unknown amount {0!r}.",
            _GIVE_NUMBER,
            False,
        ),
        (
            rf"{PART}\s*(?:{_VARIABLE}|[nm])\s*(?=[A-Z(\[])",
            "states an unknown amount, {0!r}.",
            _GIVE_NUMBER,
            False,
        ),
        (
            rf"(?<=[A-Za-z)\]}}0-9_{{])\s*{_VARIABLE}(?![a-z])|(?<=[)\]}}])[nm](?![a-z])|(?<=O)[XZ]$",
            "states the unknown amount {0!r}.",
            _GIVE_NUMBER,
            False,
        ),
        (
            r"±|(?<=[0-9])\([0-9]+\)",
            "states the uncertainty of an amount, {0!r}.",
            "write the amount alone.",
            False,
        ),
        (
            r"^[A-Z][a-z]?(?:\s*-\s*(?:[0-9.]+\s*[A-Z][a-z]?|[A-Z][a-z]?[0-9.]+))+$",
            "is the name of an alloy, whose numbers have no unit.",
            "say what they are by `fractions: weight` or `fractions: atomic` in the data set, or write wt% "
            "or at% behind them.",
            False,
        ),
        (
            r"^[A-Z][a-z]?(?:\s*-\s*[A-Z][a-z]?)+$",
            "names the elements of a system, and none of their amounts.",
            "give the amounts.",
            False,
        ),
        ("%", "states percentages.", "write wt% or at% once, behind the amounts of all elements.", False),
        (
            r"\^?\{?\s*[0-9]*\s*[+\-]\s*[0-9]*\}?\s*(?=$|[)\]}·])|[⁰¹²³⁴⁵⁶⁷⁸⁹]*[⁺⁻]|\^\{?[0-9]*[+\-][0-9]*\}?",
            "states a charge, {0!r}; a material is neutral.",
            "write a neutral compound without charges.",
            False,
        ),
        (
            r"[0-9.]+(?=\s*[A-Z(\[])|\^\{?[0-9]+\}?|[⁰¹²³⁴⁵⁶⁷⁸⁹]+",
            "has {0!r}, the mass number of an isotope or a factor: an amount without a species before it.",
            "leave it out; isotopes are not told apart.",
            True,
        ),
        (
            r":|@",
            "names a compound and what it is doped with or covered by.",
            "write one composition with the amounts of all elements.",
            True,
        ),
        (r",", "lists species that share a site, and not their amounts.", "give the amounts.", True),
        (r"[/+]", "names several materials.", "give one material a row.", True),
    )
]
_ISOTOPES = {"D": "deuterium", "T": "tritium"}
_CLASSES = frozenset(("Ln", "M", "R", "A", "X", "L", "Z"))
_GROUPS = frozenset(("Me", "Et", "Ph", "Bu", "Pr", "Py", "En"))


def refuse_misleading(text: str, source: str) -> None:
    """Refuse what would be read as elements, and means something else.

    Tables of superconductors write an unknown amount of oxygen as ``OY``.

    Args:
        text: Formula with plain digits.
        source: Formula as it is written.

    Raises:
        InputError: The text holds an oxidation number, or ends in oxygen of an unknown amount.
    """
    if match := _OXIDATION_NUMBER.search(text):
        raise formula_error(
            source,
            f"holds {match.group()}, an oxidation number, which reads as iodine and vanadium.",
            "leave it out, as in Fe2O3.",
        )
    if _OXYGEN_OF_UNKNOWN_AMOUNT.search(text) and (
        any(character.isdigit() for character in text) or len(re.findall("Y(?![a-z])", text)) > 1
    ):
        raise formula_error(
            source,
            "ends in OY, oxygen of an unknown amount.",
            "give the amount as a number, or leave the row out; write Y1 where yttrium is meant.",
        )


def explain(text: str, at: int, name: str, source: str) -> InputError | None:
    """Why a text that cannot be read is another notation than a formula; None where it is none.

    Args:
        text: Formula with plain digits.
        at: Where reading it ended.
        name: Symbol there that is none of an element; empty where there is no symbol.
        source: Formula as it is written.
    """
    for notation in _NO_FORMULAS:
        places = (m for m in notation.pattern.finditer(text) if not notation.is_at_fault or m.start() == at)
        if match := next(places, None):
            reason = notation.reason.format(match.group().strip())
            return formula_error(source, reason, notation.remedy)
    if name in _ISOTOPES:
        reason = f"holds {name!r}, {_ISOTOPES[name]}, which is not told apart from hydrogen."
        return formula_error(source, reason, "write H where that does not matter, or leave the row out.")
    if name in _CLASSES:
        return formula_error(source, f"holds {name!r}, which stands for one of several elements.", "name it.")
    if name in _GROUPS:
        reason = f"holds {name!r}, which stands for an organic group."
        return formula_error(source, reason, "write its atoms.")
    return None
