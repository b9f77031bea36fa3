"""Formulas in capitals, as old databases export them: ``SIO2`` is sulphur, iodine and oxygen to the letter.

One such formula proves nothing, since KOH, CO and HNO3 are written so. A column does: where fewer of its
formulas hold a small letter than can only be meant in mixed case.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from functools import cache

from pymatgen.core import Element

from nestmat.errors import InputError
from nestmat.materials import ions
from nestmat.materials.formula_reader import ELEMENTS
from nestmat.materials.formula_text import LONGEST_TEXT, formula_error, plain_text
from nestmat.materials.formulas import parse

_CAPITALS = re.compile(r"[^a-z]*[A-Z][A-Z][^a-z]*")
_CARBONATE = re.compile(r"CO3(?![0-9.]|O)")
_ODD_PAIRS = re.compile(
    r"CU|IN(?!C)|NB|NI|OS|PB|PU|SB|SI|SN|BK|CS(?![0-9]|$|N)|O[0-9.]*O|(?:BA|GA)(?![IF](?:$|[^0-9A-Z]))"
)
"""Neighbours that no formula of one-letter elements has, unless it is organic: elements in mixed case, oxygen
behind oxygen, and barium and gallium, which are read as organic cations."""
_ORGANIC = re.compile(r"C[0-9]*H|H[0-9]*C")
_USUAL = ("Th", "U")
_RARE = frozenset(
    element.symbol
    for element in Element
    if (element.Z > Element("Bi").Z or element.is_noble_gas or element.symbol in ("Tc", "Pm"))
    and element.symbol not in _USUAL
)
"""Elements that a formula hardly holds."""
_LONGEST_WORD = 24


def mixed_case(text: str) -> str | None:
    """The likely reading of a formula in capitals: ``SiO2`` of ``SIO2``.

    Args:
        text: Formula, with plain digits.

    Returns:
        The formula in mixed case; None where it holds a small letter or has no other reading.
    """
    if not _CAPITALS.fullmatch(text) or text == "CO2":
        return None
    words = re.split(r"([A-Z]+)", text)
    for place in range(1, len(words), 2):
        read = _symbols(words[place], "".join(words[place + 1 :]))
        if read is None:
            return None
        words[place] = "".join(read)
    likely = "".join(words)
    return None if likely == text else likely


def _symbols(word: str, behind: str) -> tuple[str, ...] | None:
    """Letters as the fewest usual symbols; None where they are none.

    Args:
        word: Letters in capitals.
        behind: What stands behind them.
    """
    if len(word) > _LONGEST_WORD:
        return None
    # Least cost and symbols of what is left from each place, the longest first where costs are alike.
    best: list[tuple[float, tuple[str, ...]] | None] = [None] * len(word) + [(0.0, ())]
    for start in range(len(word) - 1, -1, -1):
        ends = [(start + 2, word[start : start + 2].capitalize()), (start + 1, word[start])]
        ends += [(start + len(ion), ion) for ion in ions.molecular() if word.startswith(ion, start)]
        choices = [
            ((3.0 if symbol in _RARE else 1.0) + tail[0], (symbol, *tail[1]))
            for end, symbol in ends
            if end <= len(word) and (tail := best[end]) and (symbol in ELEMENTS or symbol in ions.molecular())
        ]
        if word[start:] == "CO" and _CARBONATE.match(word[start:] + behind):
            choices.append((0.9, ("C", "O")))
        best[start] = min(choices, key=lambda choice: choice[0], default=None)
    return None if best[0] is None else best[0][1]


def _is_formula(text: str) -> bool:
    try:
        parse(text)
    except InputError:
        return False
    return True


@cache
def _is_proof(text: str) -> bool:
    """Whether a formula in capitals can only be meant in mixed case."""
    if (likely := mixed_case(text)) is None:
        return False
    if not _is_formula(text):
        return _is_formula(likely)
    return bool(_ODD_PAIRS.search(text)) and not _ORGANIC.search(text)


def are_capitals(texts: Iterable[str]) -> bool:
    """Whether the formulas of a column are written in capitals.

    Args:
        texts: Formulas as they are written.

    Example:
        >>> are_capitals(["SIO2", "KOH"]), are_capitals(["CO", "KOH", "HNO3"]), are_capitals(["SiO2", "SIO2"])
        (True, False, False)
    """
    distinct = [text for text in dict.fromkeys(texts) if len(text) <= LONGEST_TEXT]
    mixed = [text for text in distinct if any(character.islower() for character in text)]
    proofs = sum(_is_proof(_plain(text)) for text in set(distinct).difference(mixed))
    # No more of them are parsed than outnumber the proofs: of most tables none.
    others = itertools.islice(filter(_is_formula, mixed), proofs)
    return proofs > sum(1 for _ in others)


def refuse_capitals(text: str) -> None:
    """Refuse a formula of a column in capitals that has another reading.

    Args:
        text: Formula as it is written.

    Raises:
        InputError: It has one, which the error states; KOH has none, and stays.
    """
    if len(text) <= LONGEST_TEXT and (likely := mixed_case(_plain(text))):
        raise formula_error(
            text,
            f"is written in capitals, as its column is, and is likely {likely}.",
            f"write the capitals as in {likely}.",
        )


def _plain(text: str) -> str:
    try:
        return plain_text(text)
    except InputError:
        return text
