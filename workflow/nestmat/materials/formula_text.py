r"""Formulas as people write them, made into the text that is read: one spelling of subscripts and hydrates.

Left out are characters without a shape and marks of typesetting; subscripts become digits. The parts of a
hydrate or an adduct are separated by a middle dot: a bullet, a star, a cross and ``\cdot`` are one, and so is
a full stop that can be no decimal point::

    CuSO4.5H2O      O4 . 5 H2O      digits and a molecule such as water follow
    CaSO4.0.5H2O    O4 . 0.5 H2O    a second full stop
    KCl.MgCl2       Cl . MgCl2      a capital follows
    La1.85Sr0.15CuO4, O6.98, Cu0.5H2O, H2.6O3.3     decimals: after a metal, or with no molecule behind

What can be read either way is refused.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from pymatgen.core import Element

from nestmat.errors import InputError

LONGEST_TEXT = 300
"""Characters of a formula; a longer cell holds something else."""
PART = "·"
"""Separates the parts of a hydrate or an adduct."""
_SAME = (
    dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋", "0123456789+-", strict=True))
    | dict.fromkeys("•∙⋅・‧●∗*×", PART)
    | dict.fromkeys("−–—‐‑‒﹣", "-")
    | {"ₓ": "x", "½": "1/2", "¼": "1/4", "¾": "3/4", "⁄": "/"}
    | {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
)
_CHARACTERS = str.maketrans(_SAME)
_DOT_MARKUP = re.compile(
    r"\$?\s*\\(?:cdot|bullet|times)\s*\$?|&middot;|&bull;|&#183;|(?<=\S)\s+x\s*(?=[0-9.]+\s*[A-Z(])"
)
_MARKUP = re.compile(r"</?sub>|\$|\\(?:mathrm|text|ce)(?=\{)|\\,")
_SPACED_STOP = re.compile(r"(?<=[A-Za-z0-9)\]}])(?:\s+\.\s*|\s*\.\s+)(?=[A-Za-z0-9(\[{])")
_STOPS = re.compile(r"[0-9]*(?:\.[0-9]*)+")
_SYMBOL_BEFORE = re.compile(r"(O(?=H[)\]}])|[A-Z][a-z]?)(?:_?\{?|[0-9.]*H?(?P<bracket>[)\]}]))$")
_NEXT = re.compile(r"\}?_?\s*([A-Za-z(\[{])?")
_MOLECULES = (
    *("H2O", "NH3", "N2H4", "H2O2", "HF", "HCl", "HBr", "HNO3", "SO2", "CH3OH", "C2H5OH", "CH3CH2OH"),
    *("CH3CN", "C3H7NO", "C2H6OS", "C4H8O", "C6H6"),
)
"""Molecules that crystals hold beside their formula unit: water, ammonia, acids and solvents."""
_MOLECULE = re.compile(
    r"[(\[]?(?:"
    + "|".join(re.sub(r"([0-9]+)", r"_?{?\1}?_?", name) for name in sorted(_MOLECULES, key=len, reverse=True))
    + rf")[)\]]?(?=\s*(?:$|[)\]}}.{PART}]))"
)
_LARGEST_FACTOR = 36
_NONMETALS = frozenset(["H", "C", "N", "O", "F", "P", "S", "Cl", "Se", "Br", "Te", "I"])
_ANIONS = frozenset(["O", "F", "S", "Cl", "Se", "Br", "Te", "I"])
_CATIONS = frozenset(
    e.symbol for e in Element if e.is_metal or e.symbol in ("B", "Si", "Ge", "As", "Sb", "P")
)


def formula_error(text: str, reason: str, remedy: str) -> InputError:
    """An error of a formula.

    Args:
        text: The formula.
        reason: What is wrong, as a predicate, which is also what a table of rejected rows states.
        remedy: What the user can do about it.
    """
    message = f"The formula {text!r} {reason}"
    return InputError(message, column="formula", value=text, remedy=remedy, reason=reason)


def strip_invisible(text: str) -> str:
    """Text without characters that have no shape: zero-width spaces, soft hyphens, marks of byte order."""
    return text if text.isascii() else "".join(c for c in text if unicodedata.category(c) != "Cf")


def plain_text(source: str) -> str:
    """A formula with digits for subscripts, and `PART` between the parts of a hydrate or an adduct.

    Args:
        source: The formula as it is written.

    Raises:
        InputError: A full stop is a decimal point as well as a dot between parts.
    """
    text = _DOT_MARKUP.sub(PART, strip_invisible(source))
    text = _MARKUP.sub("", text.translate(_CHARACTERS)).strip()
    return _separate(_SPACED_STOP.sub(PART, text), source) if "." in text else text


class _Stop(NamedTuple):
    """Digits with a full stop or two that a symbol or a bracket stands before.

    Attributes:
        start: Where the digits start.
        end: Where they end.
        written: The digits with `PART` for the stop between parts.
        kind: ``decimal``; ``part`` for certain; ``molecule`` or ``compound`` by what follows; ``either``.
    """

    start: int
    end: int
    written: str
    kind: str


def _separate(text: str, source: str) -> str:
    """Text with `PART` for every full stop that stands between parts."""
    stops = [stop for match in _STOPS.finditer(text) if (stop := _stop(text, match))]
    kinds = {stop.kind for stop in stops}
    molecule, has_decimals = "molecule" in kinds, "decimal" in kinds
    has_parts = PART in text or "part" in kinds or text[:1].isdigit()
    separates = {"part"}
    if "either" in kinds:
        raise _ambiguous(text, source, stops)
    if molecule or ("compound" in kinds and (has_parts or not has_decimals)):
        if has_decimals or not (molecule or has_parts):
            raise _ambiguous(text, source, stops)
        separates |= {"molecule", "compound"}
    for stop in reversed(stops):
        if stop.kind in separates:
            text = text[: stop.start] + stop.written + text[stop.end :]
    return text


def _stop(text: str, match: re.Match[str]) -> _Stop | None:
    """What the full stops in some digits are; None for the factor of a part."""
    start, end = match.span()
    before = text[:start].rstrip()
    if not before or before[-1] == PART:
        return None
    match_before = _SYMBOL_BEFORE.search(before)
    symbol = match_before[1] if match_before else ""
    closed = before[-1] in ")]}"
    follows = _NEXT.match(text, end)
    numbers = match.group().split(".")
    if follows is None or follows[1] is None or len(numbers) > 3:
        return _Stop(start, end, "", "decimal")
    if len(numbers) == 3:
        first_is_decimal = numbers[0] == "0" or not (closed or symbol in _NONMETALS)
        first_is_decimal = first_is_decimal or not numbers[2]
        places = (0, 1) if first_is_decimal else (1, 2)
        decimal = ".".join(numbers[place] for place in places)
        written = f"{decimal}{PART}{numbers[2]}" if first_is_decimal else f"{numbers[0]}{PART}{decimal}"
        return _Stop(start, end, written, "part")
    whole, part = numbers
    written = f"{whole}{PART}{part}"
    if not part:
        return _Stop(start, end, written, "part")
    if whole.startswith("0") or part.startswith("0") or int(part[:3]) > _LARGEST_FACTOR or len(part) > 2:
        return _Stop(start, end, "", "decimal")
    rest = text[follows.start(1) :]
    if (closed or symbol in _NONMETALS) and _MOLECULE.match(rest):
        return _Stop(start, end, written, "either" if whole == "1" else "molecule")
    if whole != "1" and symbol in _ANIONS and _is_compound(rest):
        return _Stop(start, end, written, "compound")
    return _Stop(start, end, "", "decimal")


def _is_compound(rest: str) -> bool:
    """Whether a text starts with what is a compound by itself: a cation, then an anion."""
    [part, *_] = re.split(rf"[)\]}}.{PART}]", rest.lstrip("([{"), maxsplit=1)
    symbols = re.findall(r"[A-Z][a-z]?", part)
    return bool(symbols) and symbols[0] in _CATIONS and any(symbol in _ANIONS for symbol in symbols[1:])


def _ambiguous(text: str, source: str, stops: list[_Stop]) -> InputError:
    stop = next(stop for stop in stops if stop.kind in ("either", "molecule", "compound"))
    before, number, rest = text[: stop.start], text[stop.start : stop.end], text[stop.end :].strip()
    [part, *_] = re.split(rf"[)\]}}.{PART}]", rest, maxsplit=1)
    behind = rest[len(part) :]
    whole, _, factor = number.partition(".")
    return formula_error(
        source,
        f"has a full stop in {number}{part} that may be a decimal point or stand between two parts.",
        f"write {before}{whole}({part}){factor}{behind} for {factor} {part}, or "
        f"{before}{whole or 0}.{factor}{PART}{part}{behind} for the amount {whole or 0}.{factor}.",
    )
