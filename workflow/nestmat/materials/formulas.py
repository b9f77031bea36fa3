"""Chemical formulas with organic ions as whole words.

`nestmat.materials.formula_text` makes one spelling of a text, `nestmat.materials.formula_reader` reads it,
and `nestmat.materials.notations` says what it is where it is no formula. An amount of zero, as a series
writes it (``Al0CoCrFeNi``), leaves its species out. Amounts are exact decimals, so scaling, order and
spelling leave the key of a material as it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any

import pandas as pd
from pymatgen.core import Composition

from nestmat.errors import InputError
from nestmat.materials import ions
from nestmat.materials.formula_reader import ELEMENTS, EXAMPLE, ORGANIC, read_amounts
from nestmat.materials.formula_text import LONGEST_TEXT, formula_error, plain_text
from nestmat.materials.percentages import read_percentages, split_unit

SITE_RATIO = {"A": 1, "B": 1, "X": 3}
SITE_TOLERANCE = 0.02
"""How far the amount on a site may be from `SITE_RATIO`: published ones are often rounded to two decimals."""


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
        has_stop_between_parts: Whether a full stop of the text is read as the dot of a hydrate or an adduct.
    """

    text: str
    species: Mapping[str, float]
    composition: Composition
    key: str
    amounts: Mapping[str, Fraction] = field(repr=False)
    has_stop_between_parts: bool = field(default=False, repr=False)

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
        if symbol in ORGANIC:
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


def _key(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    parts = []
    for symbol in sorted(counts):
        # To 1e-6, the nearest even number where two are as near.
        millionths, rest = divmod(counts[symbol] * 10**6, total)
        millionths += 2 * rest > total or (2 * rest == total and millionths % 2)
        parts.append(f"{symbol}={millionths / 10**6:.6f}".rstrip("0").rstrip("."))
    return " ".join(parts)


def _formula(text: str, species: Mapping[str, Fraction], has_stop_between_parts: bool = False) -> Formula:
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
        has_stop_between_parts=has_stop_between_parts,
    )


@lru_cache(maxsize=65536)
def _parse(text: str) -> Formula:
    if percentages := split_unit(text):
        return _formula(text, read_percentages(percentages, text))
    plain = plain_text(text)
    return _formula(text, read_amounts(plain, text), plain.count(".") < text.count("."))


def parse(text: str) -> Formula:
    """Parse a chemical formula.

    Args:
        text: The formula, for example ``Cs0.05(FA0.83MA0.17)0.95Pb(I0.83Br0.17)3``, ``MAGeCl_3``,
            ``CuSO4·5H2O``, or percentages with their unit, ``Ti-6Al-4V wt%``.

    Raises:
        InputError: The text is empty or missing, holds something that is neither an element nor a known ion,
            an amount of zero, a trace below 1e-6, unbalanced brackets, or anything else than a formula.
    """
    if not isinstance(text, str) or not text.strip():
        raise InputError(
            "The formula is empty.",
            column="formula",
            value=text,
            remedy=f"{EXAMPLE}.",
            reason="is not a formula but empty.",
        )
    if len(text) > LONGEST_TEXT:
        raise formula_error(
            f"{text[:40]}...", f"is longer than {LONGEST_TEXT} characters.", "give one formula a cell."
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


_MAY_JOIN = frozenset("CHNOP")
"""Elements that organic ions are spelled with, alone or with what stands beside them."""


def _join(numbers: Sequence[tuple[str, str]], bracketed: Sequence[bool]) -> str:
    """Text of symbols with what is written behind each."""
    return "".join(
        f"({symbol}){number}" if is_bracketed else f"{symbol}{number}"
        for is_bracketed, (symbol, number) in zip(bracketed, numbers, strict=True)
    )


@lru_cache(maxsize=4096)
def _brackets(shape: tuple[tuple[str, str], ...]) -> list[bool]:
    """Which species need brackets, so that a text is read as it was meant: of H4 behind N, N is one.

    Args:
        shape: Symbols and what is written behind each.
    """
    bracketed = [symbol[-1].isdigit() and number != "" for symbol, number in shape]
    # An OY at the end is oxygen of an unknown amount.
    bracketed[-1] |= shape[-2:] == (("O", ""), ("Y", ""))
    text = _join(shape, bracketed)
    if [*read_amounts(text, text)] == [symbol for symbol, _ in shape]:
        return bracketed
    return [
        is_bracketed or symbol in _MAY_JOIN or symbol not in ELEMENTS
        for is_bracketed, (symbol, _) in zip(bracketed, shape, strict=True)
    ]


def _keeps_stops(text: str) -> bool:
    """Whether all full stops of a text are read as decimal points."""
    try:
        return plain_text(text) == text
    except InputError:
        return False


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
    numbers = [
        (symbol, "" if amount == 1 else f"{float(amount):.9f}".rstrip("0").rstrip("."))
        for symbol, amount in amounts.items()
    ]
    # Of what joins nothing, only whether there is an amount counts.
    shape = tuple((symbol, number if symbol in _MAY_JOIN else number[:1]) for symbol, number in numbers)
    text = _join(numbers, _brackets(shape))
    if "." in text and not _keeps_stops(text):
        text = _join(numbers, [True] * len(numbers))
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
