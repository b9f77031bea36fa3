"""Numbers as people write them: what is unambiguous is read, anything else has a reason why it is not."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nestmat.data.units import is_unit, same_unit

MISSING = "is missing"
"""What the reason begins with where a cell has no value."""
NO_NUMBER = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none"})
"""Spellings of a cell without a number, in small letters."""
COMMON_MISSING = frozenset(
    {
        *(
            "-",
            "--",
            "---",
            "–",
            "—",
            "−",
            ".",
            "..",
            "...",
            "…",
            "?",
            "??",
            "*",
            "/",
            "nil",
            "void",
            "empty",
        ),
        *(
            "n.a.",
            "n.a",
            "n. a.",
            "n.d.",
            "n.d",
            "n. d.",
            "nd",
            "n/d",
            "n.m.",
            "nm",
            "n.r.",
            "nr",
            "n/r",
            "tbd",
        ),
        *("<na>", "(null)", "\\n", "-nan", "nat", "none.", "na.", "missing", "unknown", "undefined", "blank"),
        *("not available", "not reported", "not measured", "not applicable", "no data", "not determined"),
        *("#div/0!", "#value!", "#ref!", "#num!", "#name?", "#null!", "#n/a n/a", "#na", "#calc!", "#spill!"),
        *("1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan", "#########", "###"),
    }
)
"""Spellings that often stand for no value, in small letters, where a data set declares them."""

_DIGITS = r"(?:\d+(?:\.\d*)?|\.\d+)"
_UNSIGNED = rf"{_DIGITS}(?:[eE][+-]?\d+)?"
_PLAIN = rf"[+-]?{_UNSIGNED}"
_PLAIN_COMMA = _PLAIN.replace(r"\.", ",")
_NUMBER = re.compile(_PLAIN, re.ASCII)
_INFINITE = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)
_BLANKS = " \u00a0\u2009\u202f\u2007"
_MINUS = re.compile(r"(?:^|(?<=[eE^]))[−‒–﹣－]")
_POWER = re.compile(
    rf"(?:(?P<factor>[+-]?{_DIGITS})\s*[×x·⋅*]\s*)?"
    r"10(?:\s*(?:\^|\*\*)\s*\(?(?P<flat>[+-]?\d+)\)?|(?P<raised>[⁺⁻]?[⁰¹²³⁴-⁹]+))",
    re.ASCII,
)
_RAISED = str.maketrans("⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "+-0123456789")
_FORTRAN = re.compile(rf"(?P<factor>[+-]?{_DIGITS})[dD](?P<power>[+-]?\d+)", re.ASCII)
_IN_BRACKETS = re.compile(rf"(?P<value>[+-]?{_DIGITS})\(\d+\)(?P<power>[eE][+-]?\d+)?", re.ASCII)
_PLUS_MINUS = re.compile(rf"(?P<value>{_PLAIN})\s*(?:±|\+/-|\+-)\s*{_UNSIGNED}", re.ASCII)
_WITH_UNIT = re.compile(rf"(?P<value>{_PLAIN})\s*(?P<unit>[^\d\s].*)", re.ASCII)
_BOUND = re.compile(rf"(?:[<>≤≥≲≳]|&[lg]t;)\s*=?\s*{_PLAIN}.*", re.ASCII)
_ABOUT = re.compile(rf"(?:[~≈∼≃]|ca\.?|c\.|approx\.?|about|around)\s*{_PLAIN}.*", re.ASCII | re.IGNORECASE)
_RANGE = re.compile(rf"{_PLAIN}\s*(?:[-–—−]|\.\.|to|\.\.\.|…)\s*{_PLAIN}", re.ASCII)
_GROUPED = {
    mark: re.compile(rf"[+-]?\d{{1,3}}(?:{marks}\d{{3}})+(?:\.\d+)?", re.ASCII)
    for mark, marks in ((",", ","), (" ", f"[{_BLANKS}]"), ("'", "['’]"))
}
_THIN_GROUPS = re.compile(r"[+-]?\d{1,3}(?:[\u2009\u202f]\d{3})+(?:\.\d+)?", re.ASCII)
_NO_MARKS = str.maketrans("", "", f",'’{_BLANKS}")
_SWAPPED = str.maketrans(",.", ".,")
_LONGEST = 200
"""Characters of a number that is not plain: longer cells hold something else."""


@dataclass(frozen=True)
class NumberRules:
    """How the numbers of a column are written.

    Attributes:
        decimal: Decimal mark.
        thousands: What stands between groups of three digits; None where nothing does.
        missing: Spellings of no value besides `NO_NUMBER`, in small letters.
        sentinels: Numbers that stand for no value.
        unit: Unit of the column, which its cells may repeat.
    """

    decimal: str = "."
    thousands: str | None = None
    missing: frozenset[str] = frozenset()
    sentinels: tuple[float, ...] = ()
    unit: str = ""


class Number(NamedTuple):
    """What a cell is read as.

    Attributes:
        value: The number; NaN where there is none.
        reason: Why there is none; None where there is.
        note: What is left out of the cell or understood of it; None of a plain number.
    """

    value: float
    reason: str | None = None
    note: str | None = None


@dataclass
class NumberCells:
    """What the cells of a column are read as.

    Attributes:
        values: Number of each row; NaN where there is none.
        empty: Whether each cell is empty.
        odd: What each cell that is neither empty nor a plain number is read as, by row.
    """

    values: np.ndarray
    empty: np.ndarray
    odd: dict[int, Number] = field(default_factory=dict)

    def faults(self) -> Iterator[tuple[int, str]]:
        """Row and reason of each cell without a number, in the order of the rows."""
        odd = {row: number.reason for row, number in self.odd.items() if number.reason}
        for row in sorted([*odd, *np.flatnonzero(self.empty).tolist()]):
            yield row, odd.get(row) or MISSING


def read_numbers(cells: pa.ChunkedArray | pa.Array, rules: NumberRules) -> NumberCells:
    """Numbers of the cells of a column.

    Args:
        cells: Cells as text, clean, n.
        rules: How numbers are written.

    Example:
        >>> read_numbers(pa.array(["1.5", "", "−2"]), NumberRules()).values.tolist()
        [1.5, nan, -2.0]
    """
    text = cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells
    empty = pc.equal(text, "").to_numpy(zero_copy_only=False)
    if not rules.sentinels and rules.decimal == "." and (numbers := _plain_numbers(text)) is not None:
        return NumberCells(numbers, empty)
    pattern = _PLAIN if rules.decimal == "." else _PLAIN_COMMA
    plain = pc.match_substring_regex(text, f"^(?:{pattern})$").to_numpy(zero_copy_only=False)
    values = np.full(len(text), math.nan)
    if plain.any():
        digits = text.filter(pa.array(plain))
        if rules.decimal != ".":
            digits = pc.replace_substring(digits, ",", ".")
        values[plain] = _to_floats(digits)
    odd: dict[int, Number] = {}
    by_text: dict[str, Number] = {}
    unusual = ~plain & ~empty
    if rules.sentinels:
        unusual |= np.isin(values, rules.sentinels)
    unusual |= np.isinf(values)
    rows = np.flatnonzero(unusual)
    for row, cell in zip(rows.tolist(), text.take(pa.array(rows)).to_pylist(), strict=True):
        if cell not in by_text:
            by_text[cell] = read_number(cell, rules)
        odd[row] = by_text[cell]
        values[row] = by_text[cell].value
    return NumberCells(values, empty, odd)


def _plain_numbers(text: pa.Array) -> np.ndarray | None:
    """Floats of cells that are all plain and finite or empty, the latter NaN; None of others."""
    filled = pc.if_else(pc.equal(text, ""), None, text)
    try:
        numbers = filled.cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    values = numbers.to_numpy(zero_copy_only=False)
    # Arrow reads words for what is infinite or no number too.
    return values if np.isfinite(values).sum() == len(numbers) - numbers.null_count else None


def _to_floats(digits: pa.Array) -> np.ndarray:
    """Floats nearest to decimal numbers."""
    # Arrow does not know a sign of plus.
    return pc.utf8_ltrim(digits, "+").cast(pa.float64()).to_numpy(zero_copy_only=False)


def read_number(cell: str, rules: NumberRules) -> Number:
    """What a single cell is read as.

    Args:
        cell: The cell, without blanks at its ends.
        rules: How numbers are written.

    Example:
        >>> read_number("335 K", NumberRules(unit="K")).value
        335.0
        >>> read_number("<300", NumberRules()).reason
        'is a bound, not a number: leave it out, or state the floor of a target'
    """
    if cell.casefold() in NO_NUMBER or cell.casefold() in rules.missing:
        return Number(math.nan, MISSING)
    if len(cell) > _LONGEST:
        return Number(math.nan, "is not a number")
    text = cell.translate(_SWAPPED) if rules.decimal == "," else cell
    if _NUMBER.fullmatch(text):
        return _finite(text, cell, rules, None)
    if _INFINITE.fullmatch(text):
        return Number(math.nan, "is not finite")
    for digits, note in _spellings(text, rules):
        return _finite(digits, cell, rules, note)
    return Number(math.nan, _reason(text, cell, rules))


def _finite(digits: str, cell: str, rules: NumberRules, note: str | None) -> Number:
    value = float(digits)
    if value in rules.sentinels:
        return Number(math.nan, f"{MISSING}: {cell} is declared to stand for no value")
    if not math.isfinite(value):
        return Number(math.nan, "is not finite")
    return Number(value, None, note)


def _spellings(text: str, rules: NumberRules) -> Iterator[tuple[str, str | None]]:
    """Plain digits of a number that is written in another way, and what was understood of it."""
    minus = _MINUS.sub("-", text)
    if _NUMBER.fullmatch(minus):
        yield minus, None
    if rules.thousands:
        mark = rules.thousands.translate(_SWAPPED) if rules.decimal == "," else rules.thousands
        if _GROUPED[mark].fullmatch(minus):
            yield minus.translate(_NO_MARKS), None
    if _THIN_GROUPS.fullmatch(minus):
        yield minus.translate(_NO_MARKS), None
    if power := _POWER.fullmatch(minus):
        exponent = power["flat"] or power["raised"].translate(_RAISED)
        yield f"{power['factor'] or '1'}e{exponent}", None
    if fortran := _FORTRAN.fullmatch(minus):
        yield f"{fortran['factor']}e{fortran['power']}", None
    if uncertain := _IN_BRACKETS.fullmatch(minus):
        yield f"{uncertain['value']}{uncertain['power'] or ''}", "its uncertainty is left out"
    if uncertain := _PLUS_MINUS.fullmatch(minus):
        yield uncertain["value"], "its uncertainty is left out"
    if (measured := _WITH_UNIT.fullmatch(minus)) and same_unit(measured["unit"], rules.unit):
        yield measured["value"], None


def _reason(text: str, cell: str, rules: NumberRules) -> str:
    """Why a cell is not read, and what to do."""
    minus = _MINUS.sub("-", text)
    if cell.casefold() in COMMON_MISSING:
        return f"is not a number: where it stands for none, `missing_values: [{cell!r}]` says so"
    if _BOUND.fullmatch(minus):
        return "is a bound, not a number: leave it out, or state the floor of a target"
    if _ABOUT.fullmatch(minus):
        return "is an approximate value: write the number alone where that is good enough"
    if _RANGE.fullmatch(minus):
        return "is a range, not a number: write one number, as its middle"
    if (measured := _WITH_UNIT.fullmatch(minus)) and is_unit(measured["unit"]):
        stated = f"the column is in {rules.unit}" if rules.unit else "the column states none"
        return f"is not a number: it has the unit {measured['unit']!r}, and {stated}"
    return f"is not a number{_hint_of_marks(minus, rules)}"


def _hint_of_marks(text: str, rules: NumberRules) -> str:
    """A hint where other marks between digits make it a number."""
    if rules.decimal == ",":
        return " (the decimal mark is a comma)" if _NUMBER.fullmatch(text.replace(",", ".", 1)) else ""
    for mark, pattern in _GROUPED.items():
        if pattern.fullmatch(text) and (mark != "," or text.count(",") > 1 or "." in text):
            return f" (`thousands: {mark!r}` reads it)"
    if _NUMBER.fullmatch(text.replace(",", ".", 1)):
        return " (write a decimal point, not a comma)"
    if _GROUPED[","].fullmatch(text.translate(_SWAPPED)):
        return " (write a decimal point, and nothing between thousands)"
    return ""


def common_spelling(cells: Iterable[str]) -> str:
    """The unit that all of some cells state after a number; empty where they do not, or not the same."""
    units = set()
    for cell in cells:
        measured = _WITH_UNIT.fullmatch(_MINUS.sub("-", cell))
        if measured is None or not is_unit(measured["unit"]):
            return ""
        units.add(measured["unit"])
    return units.pop() if len(units) == 1 else ""
