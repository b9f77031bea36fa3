r"""Chemical formulas with organic ions as whole words.

The grammar, over text whose subscripts are digits::

    formula := (species | group) amount? ...         amount := "_"? "{"? decimal "}"? "_"?
    group   := "(" formula ")"  (also [ ] and { })   species := organic ion or element

An organic ion is written by its abbreviation (``MA``) or by a structural spelling of `resources/ions.yaml`
(``CH3NH3``). Abbreviations win over elements where both read (``FAPbI3`` holds formamidinium, never
fluorine), unless the rest of the word then has no reading. A structural spelling does not count as the ion
where it continues another organic group. Sum formulas such as ``CH6NPbI3`` stay carbon, hydrogen and
nitrogen, since isomers share them (dimethylammonium and ethylammonium are both C2H8N).
An amount of zero, as a series writes it (``Al0CoCrFeNi``), leaves its species out. Amounts are exact
decimals, so scaling, order and spelling leave the key of a material as it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache, cached_property, lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

import pandas as pd
from pymatgen.core import Composition, Element

from nestmat.errors import InputError
from nestmat.materials import ions

SITE_RATIO = {"A": 1, "B": 1, "X": 3}
SITE_TOLERANCE = 0.02
"""How far the amount on a site may be from `SITE_RATIO`: published ones are often rounded to two decimals."""
ELEMENTS = frozenset(element.symbol for element in Element)
"""Symbols of the elements."""
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_MARKUP = re.compile(r"</?sub>|\$")
_AMOUNT = re.compile(r"\s*(?:_\s*\{\s*(?P<braced>[0-9.]+)\s*\}|_?\s*(?P<plain>[0-9.]+))_?")
_DECIMAL = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")
_WORD = re.compile(r"[A-Za-z]+")
_LONGEST_TEXT = 300
_BRACKETS = {"(": ")", "[": "]", "{": "}"}
_ORGANIC = frozenset("CHN")
_ONE = Fraction(1)
_EXAMPLE = "write it like CsPbI3, FA0.85MA0.15PbI2.55Br0.45 or (FAPbI3)0.9(MAPbBr3)0.1"


@dataclass(frozen=True, eq=False)
class Formula:
    """A parsed formula.

    Attributes:
        text: The text as given.
        species: Amount by organic ion or element, in the order of the text.
        composition: Amounts by element, organic ions expanded.
        key: Canonical name of the material, ``Br=0.2 Cs=0.2 ...``: sorted ions or elements with their
            fraction of all of them, to 1e-6.
        amounts: As ``species``, exact.
    """

    text: str
    species: Mapping[str, float]
    composition: Composition
    key: str
    amounts: Mapping[str, Fraction] = field(repr=False)

    def sites(self, tolerance: float = SITE_TOLERANCE) -> Mapping[str, Mapping[str, float]]:
        """Site fractions of an ABX3 halide perovskite.

        Args:
            tolerance: How far the amount on a site may be from 1 : 1 : 3, relative to that amount.

        Returns:
            Fractions by site and ion, ions sorted, each site with the sum 1.

        Raises:
            InputError: A species has no known site, or the sums are not 1 : 1 : 3.
        """
        return self._sites if tolerance == SITE_TOLERANCE else self._divide_sites(tolerance)

    @cached_property
    def _sites(self) -> Mapping[str, Mapping[str, float]]:
        """Site fractions, which every block of a site asks for."""
        return self._divide_sites(SITE_TOLERANCE)

    def _divide_sites(self, tolerance: float) -> Mapping[str, Mapping[str, float]]:
        parts: dict[str, dict[str, int]] = {site: {} for site in SITE_RATIO}
        counts, unit = _counts(self.amounts)
        table = ions.table()
        for symbol in sorted(counts):
            if symbol not in table:
                raise self._no_site(symbol)
            parts[table[symbol].site][symbol] = counts[symbol]
        sums = {site: sum(part.values()) for site, part in parts.items()}
        total, limit = sum(sums.values()), Fraction(tolerance)
        # |sum / (n total / 5) - 1| > limit, in whole numbers.
        if any(
            abs(sites * sums[site] - n * total) * limit.denominator > limit.numerator * n * total
            for sites in [sum(SITE_RATIO.values())]
            for site, n in SITE_RATIO.items()
        ):
            stated = ", ".join(
                f"{site} = {sums[site] / unit:.6g} ({' + '.join(part) or 'none'})"
                for site, part in parts.items()
            )
            raise formula_error(
                self.text,
                f"is not an ABX3 perovskite: {stated}; the ratio has to be 1 : 1 : 3 within {tolerance:.0%}.",
                "correct the amounts, or leave the material out of this study.",
            )
        return MappingProxyType({site: MappingProxyType(_fractions(part)) for site, part in parts.items()})

    def _no_site(self, symbol: str) -> InputError:
        remedy = "add the ion to resources/ions.yaml, or leave the material out of this study."
        if symbol in _ORGANIC:
            remedy = (
                "write organic cations by name, because isomers share a sum formula: one of "
                + ", ".join(
                    f"{ion.symbol} ({ion.name})" for ion in ions.molecular().values() if ion.site == "A"
                )
                + "."
            )
        return formula_error(
            self.text, f"holds {symbol}, which has no known site in a halide perovskite.", remedy
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


def _counts(amounts: Mapping[str, Fraction]) -> tuple[dict[str, int], int]:
    """Amounts as whole numbers of parts, and the parts of 1: exact as fractions are, and much faster."""
    unit = math.lcm(*(amount.denominator for amount in amounts.values()))
    counts = {name: amount.numerator * (unit // amount.denominator) for name, amount in amounts.items()}
    return counts, unit


def _fractions(part: Mapping[str, int]) -> dict[str, float]:
    total = sum(part.values())
    fractions = {symbol: count / total for symbol, count in part.items()}
    largest = max(fractions, key=lambda symbol: fractions[symbol])
    # The largest takes up the rounding error, so that the sum is 1 exactly; it may itself round once more.
    while gap := 1.0 - math.fsum(fractions.values()):
        fractions[largest] += gap
    return fractions


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


class _Reader:
    """Recursive descent over one formula."""

    def __init__(self, source: str):
        self.source = source
        self.text = _MARKUP.sub("", source.translate(_SUBSCRIPTS)).strip()
        self.at = 0

    def fail(self, reason: str, remedy: str = _EXAMPLE) -> InputError:
        return formula_error(self.source, reason, f"{remedy}.")

    def read(self, closing: str = "") -> dict[str, Fraction]:
        """Amounts up to ``closing``, or to the end."""
        amounts: dict[str, Fraction] = {}
        before = ""
        while True:
            self.skip_space()
            if self.at == len(self.text):
                if closing:
                    raise self.fail(f"lacks a closing {closing!r}.", "balance the brackets")
                break
            if self.text[self.at] == closing:
                self.at += 1
                break
            part, before = self.part(before)
            amount = self.amount()
            for symbol, count in part.items():
                added = amount if count is _ONE else count * amount
                amounts[symbol] = amounts[symbol] + added if symbol in amounts else added
        if not amounts:
            raise self.fail("is empty." if not closing else "has empty brackets.")
        return amounts

    def skip_space(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def part(self, before: str) -> tuple[dict[str, Fraction], str]:
        """One species or group, and the symbol that the next one follows."""
        if before not in _ORGANIC and (match := _spellings().structure.match(self.text, self.at)):
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
            return Fraction(1)
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
            "write amounts as decimal numbers, and leave out additives, charges, hydrates and variables",
        )

    def unknown(self, word: str) -> InputError:
        # What can be read from the left is not at fault; the rest starts with the unknown symbol.
        size = next(size for size in range(len(word), -1, -1) if _segment(word[:size]) is not None)
        while size and word[size].islower():
            size -= 1
        symbol = re.match(r"[A-Z]?[a-z]*", word[size:])
        name = symbol.group() if symbol and symbol.group() else word[size]
        return self.fail(
            f"holds {name!r}, which is neither an element nor a known ion.",
            "check the spelling and the capitals; molecular ions are named in resources/ions.yaml",
        )


def _key(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    parts = []
    for symbol in sorted(counts):
        # To 1e-6, the nearest even number where two are as near.
        millionths, rest = divmod(counts[symbol] * 10**6, total)
        millionths += 2 * rest > total or (2 * rest == total and millionths % 2)
        parts.append(f"{symbol}={millionths / 10**6:.6f}".rstrip("0").rstrip("."))
    return " ".join(parts)


def _formula(text: str, species: Mapping[str, Fraction]) -> Formula:
    amounts = {symbol: amount for symbol, amount in species.items() if amount}
    counts, unit = _counts(amounts)
    total = sum(counts.values())
    if not unit <= 10 * total <= 10**7 * unit:
        raise formula_error(
            text,
            f"has amounts that sum to {total / unit:.3g}.",
            "give amounts for a formula unit, so that the sum is between 0.1 and 1e6.",
        )
    for symbol, count in counts.items():
        if count * 10**6 < total:
            raise formula_error(
                text,
                f"holds less than 1e-6 of {symbol}, which a material's key cannot tell from none.",
                "leave out traces.",
            )
    atoms: dict[str, int] = {}
    for symbol, count in counts.items():
        ion = ions.molecular().get(symbol)
        for element, number in (ion.composition if ion else {symbol: 1}).items():
            atoms[element] = atoms.get(element, 0) + count * number
    return Formula(
        text=text,
        species=MappingProxyType({symbol: count / unit for symbol, count in counts.items()}),
        composition=Composition({element: count / unit for element, count in atoms.items()}),
        key=_key(counts),
        amounts=MappingProxyType(amounts),
    )


@lru_cache(maxsize=65536)
def _parse(text: str) -> Formula:
    return _formula(text, _Reader(text).read())


def parse(text: str) -> Formula:
    """Parse a chemical formula.

    Args:
        text: The formula, for example ``Cs0.05(FA0.83MA0.17)0.95Pb(I0.83Br0.17)3`` or ``MAGeCl_3``.

    Raises:
        InputError: The text is empty or missing, holds something that is neither an element nor a known ion,
            an amount of zero, a trace below 1e-6, unbalanced brackets, or anything else than a formula.
    """
    if not isinstance(text, str) or not text.strip():
        raise InputError(
            "The formula is empty.",
            column="formula",
            value=text,
            remedy=f"{_EXAMPLE}.",
            reason="is not a formula but empty.",
        )
    if len(text) > _LONGEST_TEXT:
        raise formula_error(
            f"{text[:40]}...", f"is longer than {_LONGEST_TEXT} characters.", "give one formula a cell."
        )
    return _parse(text)


@dataclass(frozen=True)
class ParsedFormulas:
    """Formulas of a table.

    Attributes:
        formulas: One a text; None where the text does not parse.
        errors: By position, why it does not parse.
    """

    formulas: list[Formula | None]
    errors: dict[int, InputError]


def parse_many(texts: Iterable[Any]) -> ParsedFormulas:
    """Parse the formulas of a table, each distinct text once."""
    formulas: list[Formula | None] = []
    errors: dict[int, InputError] = {}
    failed: dict[Any, InputError] = {}
    for position, text in enumerate(texts):
        formula = None
        if text not in failed:
            try:
                formula = parse(text)
            except InputError as error:
                failed[text] = error
        formulas.append(formula)
        if formula is None:
            errors[position] = failed[text]
    return ParsedFormulas(formulas, errors)


def elements(texts: Iterable[Any]) -> list[tuple[str, ...]]:
    """Elements of the formulas of a table, sorted, organic ions expanded.

    Raises:
        InputError: A text is not a formula.
    """
    parsed = parse_many(texts)
    if parsed.errors:
        raise next(iter(parsed.errors.values()))
    return [tuple(sorted(f.composition.as_dict())) for f in parsed.formulas if f is not None]


def from_species(species: Mapping[str, float]) -> Formula:
    """The formula of given amounts, its text in the order given.

    Args:
        species: Amounts by element or abbreviation of an organic ion; those of zero are left out.

    Raises:
        InputError: A symbol is unknown, or an amount is negative or not finite.
    """
    amounts = {}
    for symbol, amount in species.items():
        if not math.isfinite(amount) or amount < 0:
            raise InputError(f"The amount of {symbol} is {amount}.", remedy="amounts are positive numbers.")
        if symbol not in ELEMENTS and symbol not in ions.molecular():
            raise InputError(f"The species {symbol!r} is neither an element nor a known ion.")
        if amount:
            amounts[symbol] = Fraction(repr(float(amount))).limit_denominator(10**9)
    if not amounts:
        raise InputError("The formula has no species.", column="formula", remedy="give at least one amount.")
    text = "".join(
        (f"({symbol})" if symbol[-1].isdigit() and amount != 1 else symbol)
        + ("" if amount == 1 else f"{float(amount):.9f}".rstrip("0").rstrip("."))
        for symbol, amount in amounts.items()
    )
    return _formula(text, amounts)


def fill_template(template: str, row: Mapping[str, Any]) -> str:
    """Write a formula from columns, for tables that hold none.

    Args:
        template: Text with columns in braces, for example ``{Cation}Pb{Halide1}{Halide2}{Halide3}``. Columns
            are inserted as they are; nothing is computed.
        row: Cells by column.

    Raises:
        InputError: A column is missing, a cell is empty, or the braces do not match.
    """

    def cell(match: re.Match[str]) -> str:
        name = match[1].strip()
        if name not in row:
            raise InputError(
                f"The template names the column {name!r}, which the table lacks; it has "
                f"{', '.join(map(str, row))}.",
                key="formula_template",
                value=template,
                remedy="correct the name in braces.",
            )
        value = row[name]
        if pd.isna(value) or not str(value).strip():
            raise InputError(
                f"The cell of {name!r} is empty, but the formula is made from it.",
                column=name,
                remedy="fill it in.",
            )
        return f"{value:.10g}" if isinstance(value, float) else str(value).strip()

    text = re.sub(r"\{([^{}]+)\}", cell, template)
    if "{" in text or "}" in text:
        raise InputError(
            "The template has braces that do not match.",
            key="formula_template",
            value=template,
            remedy="write every column as {name}.",
        )
    return text
