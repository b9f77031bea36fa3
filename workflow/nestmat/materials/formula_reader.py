r"""Recursive descent over the text of a formula.

The grammar, over text whose subscripts are digits::

    formula := factor? part (dot factor? part)*      factor  := decimal or fraction, where there are dots
    part    := (species | group) amount? ...         amount  := "_"? "{"? decimal "}"? "_"?
    group   := "(" formula ")"  (also [ ] and { })   species := organic ion or element
    dot     := "·", see `nestmat.materials.formula_text`

An organic ion is written by its abbreviation (``MA``) or by a structural spelling of `resources/ions.yaml`
(``CH3NH3``). Abbreviations win over elements where both read (``FAPbI3`` holds formamidinium, never
fluorine), unless the rest of the word then has no reading. A structural spelling does not count as the ion
where it continues another organic group. Sum formulas such as ``CH6NPbI3`` stay carbon, hydrogen and
nitrogen, since isomers share them (dimethylammonium and ethylammonium are both C2H8N).
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import cache, lru_cache
from typing import NamedTuple

from pymatgen.core import Element

from nestmat.errors import InputError
from nestmat.materials import ions, notations
from nestmat.materials.formula_text import PART, formula_error

ELEMENTS = frozenset(element.symbol for element in Element)
"""Symbols of the elements."""
ORGANIC = frozenset("CHN")
"""Elements of organic ions."""
EXAMPLE = "write it like CsPbI3, FA0.85MA0.15PbI2.55Br0.45 or (FAPbI3)0.9(MAPbBr3)0.1"
_AMOUNT = re.compile(r"\s*(?:_\s*\{\s*(?P<braced>[0-9.]+)\s*\}|_?\s*(?P<plain>[0-9.]+))_?")
_FACTOR = re.compile(r"\s*(?P<number>[0-9.]+)\s*(?:/\s*(?P<divisor>[0-9]+))?")
_DECIMAL = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")
_WORD = re.compile(r"[A-Za-z]+")
_BRACKETS = {"(": ")", "[": "]", "{": "}"}
_ONE = Fraction(1)


class _Spellings(NamedTuple):
    """How molecular ions are written.

    Attributes:
        words: Ion by abbreviation.
        structures: Ion by structural spelling.
        structure: Matches a structural spelling, the longest first, unless its last atom goes on behind it.
    """

    words: dict[str, str]
    structures: dict[str, str]
    structure: re.Pattern[str]


@cache
def _spellings() -> _Spellings:
    words: dict[str, str] = {}
    structures: dict[str, str] = {}
    for symbol, ion in ions.molecular().items():
        for spelling in (symbol, *ion.aliases):
            kind = structures if re.fullmatch(r"[CHNO0-9()=]+", spelling) else words
            kind[spelling] = symbol
    patterns = [
        re.escape(spelling) + ("(?![0-9.a-z])" if spelling[-1].isdigit() else "(?![a-z])")
        for spelling in sorted(structures, key=len, reverse=True)
    ]
    return _Spellings(words, structures, re.compile("|".join(patterns)))


@lru_cache(maxsize=4096)
def _segment(word: str) -> tuple[str, ...] | None:
    """Divide a run of letters into ions and elements, the longest first; None if there is no way."""
    if not word:
        return ()
    names = _spellings().words
    for size in range(min(len(word), max(map(len, names))), 0, -1):
        head = word[:size]
        if head in ELEMENTS or head in names:
            tail = _segment(word[size:])
            if tail is not None:
                return (head, *tail)
    return None


def read_amounts(text: str, source: str) -> dict[str, Fraction]:
    """Amounts by organic ion or element, in the order of the text, those of zero among them.

    Args:
        text: What `nestmat.materials.formula_text.plain_text` makes of the formula.
        source: The formula as it is written, for messages.

    Raises:
        InputError: The text holds something that is neither an element nor a known ion, unbalanced brackets,
            or anything else than a formula.
    """
    notations.refuse_misleading(text, source)
    return _Reader(text, source).read()


class _Reader:
    """Recursive descent over one formula."""

    def __init__(self, text: str, source: str):
        self.source = source
        self.text = text
        self.at = 0

    def fail(self, reason: str, remedy: str = EXAMPLE, name: str = "") -> InputError:
        """The error of the text, with a better reason where it is another notation than a formula."""
        notation = notations.explain(self.text, self.at, name, self.source)
        return notation or formula_error(self.source, reason, f"{remedy}.")

    def read(self, closing: str = "") -> dict[str, Fraction]:
        """Amounts up to ``closing``, or to the end."""
        amounts: dict[str, Fraction] = {}
        start = self.at
        factor = self.factor()
        leads = self.at > start
        before, is_empty = "", True
        while True:
            self.skip_space()
            if self.at == len(self.text):
                if closing:
                    raise self.fail(f"lacks a closing {closing!r}.", "balance the brackets")
                break
            if self.text[self.at] == closing:
                self.at += 1
                break
            if self.text[self.at] == PART:
                if is_empty:
                    raise self.fail("has a dot with no part before it.", "write a hydrate like CuSO4·5H2O")
                self.at += 1
                factor, leads = self.factor(), False
                before, is_empty = "", True
                continue
            part, before = self.part(before)
            amount, is_empty = self.amount() * factor, False
            for symbol, count in part.items():
                added = amount if count is _ONE else count * amount
                amounts[symbol] = amounts[symbol] + added if symbol in amounts else added
        if not amounts:
            raise self.fail("is empty." if not closing else "has empty brackets.")
        if is_empty:
            raise self.fail("has a dot with no part behind it.", "write a hydrate like CuSO4·5H2O")
        if leads:
            self.at = start
            raise self.fail("has an amount without a species before it.")
        return amounts

    def factor(self) -> Fraction:
        """The number before a part; 1 where there is none."""
        match = _FACTOR.match(self.text, self.at)
        if match is None:
            return _ONE
        divisor = int(match["divisor"] or 1)
        if not _DECIMAL.fullmatch(match["number"]) or not divisor:
            raise self.fail(f"has the factor {match.group().strip()!r}, which is not a number.")
        self.at = match.end()
        return Fraction(match["number"]) / divisor

    def skip_space(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def part(self, before: str) -> tuple[dict[str, Fraction], str]:
        """One species or group, and the symbol that the next one follows."""
        if before not in ORGANIC and (match := _spellings().structure.match(self.text, self.at)):
            self.at = match.end()
            symbol = _spellings().structures[match.group()]
            return {symbol: _ONE}, symbol
        start = self.text[self.at]
        if start in _BRACKETS:
            self.at += 1
            return self.read(_BRACKETS[start]), ""
        if start in _BRACKETS.values():
            raise self.fail(f"has an unexpected {start!r}.", "balance the brackets")
        word = _WORD.match(self.text, self.at)
        if word is None:
            raise self.misplaced(start)
        names = _segment(word.group())
        if names is None:
            raise self.unknown(word.group())
        self.at += len(names[0])
        symbol = _spellings().words.get(names[0], names[0])
        return {symbol: _ONE}, symbol

    def amount(self) -> Fraction:
        match = _AMOUNT.match(self.text, self.at)
        if match is None:
            return _ONE
        number = match["braced"] or match["plain"]
        if not _DECIMAL.fullmatch(number):
            raise self.fail(f"has the amount {number!r}, which is not a number.")
        self.at = match.end()
        return Fraction(number)

    def misplaced(self, character: str) -> InputError:
        if character.isdigit() or character == ".":
            return self.fail("has an amount without a species before it.")
        return self.fail(
            f"has an unexpected {character!r} at character {self.at + 1}.",
            "write amounts as decimal numbers, and leave out additives and variables",
        )

    def unknown(self, word: str) -> InputError:
        # What can be read from the left is not at fault; the rest starts with the unknown symbol.
        size = next(size for size in range(len(word), -1, -1) if _segment(word[:size]) is not None)
        while size and word[size].islower():
            size -= 1
        symbol = re.match(r"[A-Z]?[a-z]*", word[size:])
        name = symbol.group() if symbol and symbol.group() else word[size]
        self.at += size
        return self.fail(
            f"holds {name!r}, which is neither an element nor a known ion.",
            "check the spelling and the capitals; molecular ions are named in resources/ions.yaml",
            name,
        )
