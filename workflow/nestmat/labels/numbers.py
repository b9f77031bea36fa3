"""How figures and report write numbers: one function a way of rounding.

Numbers are joined to their unit and to ± by spaces that no line breaks at, and a minus is a minus sign, not a
hyphen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

NO_BREAK = "\u00a0"
"""A space that no line breaks at: a number stays with its unit."""


def _typeset(text: str, unit: str = "") -> str:
    text = text.replace("-", "−")
    return f"{text}{NO_BREAK}{unit}" if unit else text


def format_value(number: float, unit: str = "", *, sign: bool = False) -> str:
    """A measured number with its unit: three decimals below ten and fewer above; a dash if not finite.

    Args:
        number: The number.
        unit: Its unit; empty for a pure number.
        sign: Whether a positive number bears its sign.

    Example:
        >>> format_value(0.1141), format_value(-14.421), format_value(12345.6), format_value(float("nan"))
        ('0.114', '−14.42', '12346', '–')
    """
    if not np.isfinite(number):
        return "–"
    size = abs(number)
    places = 3 if size < 10 else 2 if size < 100 else 1 if size < 1000 else 0
    if 0 < size < 0.001:
        places = 2 - int(np.floor(np.log10(size)))
    return _typeset(f"{number:{'+' if sign else ''}.{places}f}", unit)


def format_spread(mean: float, deviation: float, unit: str = "", count: int = 2) -> str:
    """``mean ± standard deviation unit`` with as many decimals of both.

    Args:
        mean: The mean.
        deviation: The standard deviation; left out where it is not finite.
        unit: Unit of both.
        count: Number of values; the deviation of a single one is left out.

    Example:
        >>> format_spread(14.4, 0.5).replace(NO_BREAK, " "), format_spread(3.4, 0.0, count=1)
        ('14.40 ± 0.50', '3.400')
    """
    text = format_value(mean)
    if count > 1 and np.isfinite(deviation) and np.isfinite(mean):
        text += f"{NO_BREAK}±{NO_BREAK}{deviation:.{len(text.partition('.')[2])}f}"
    return _typeset(text, unit)


def format_fixed(number: float, places: int, unit: str = "") -> str:
    """A number with so many decimals.

    Example:
        >>> format_fixed(-0.5, 3), format_fixed(41.7, 0)
        ('−0.500', '42')
    """
    return _typeset(f"{number:.{places}f}", unit)


def format_percent(share: float, places: int = 0, unit: str = "%", *, sign: bool = False) -> str:
    """A share in percent.

    Args:
        share: The share, 0 to 1.
        places: Decimals.
        unit: Put after the number; empty in a table whose head has the unit.
        sign: Whether a positive share bears its sign.

    Example:
        >>> format_percent(0.18).replace(NO_BREAK, " "), format_percent(-0.0312, 1, "", sign=True)
        ('18 %', '−3.1')
    """
    return _typeset(f"{100 * share:{'+' if sign else ''}.{places}f}", unit)


def format_rate(rate: Sequence[float], unit: str = "%") -> str:
    """A rate with its interval in percent; one decimal below 10 %.

    Args:
        rate: The rate and both ends of its interval, 0 to 1.
        unit: Put after the rate; empty in a table whose head has the unit.

    Example:
        >>> format_rate((0.18, 0.12, 0.27), ""), format_rate((0.005, 0.001, 0.028), "")
        ('18 (12–27)', '0.5 (0.1–2.8)')
    """
    places = 0 if rate[0] >= 0.1 or rate[0] == 0 else 1
    share, low, high = (format_percent(number, places, "") for number in rate)
    return f"{_typeset(share, unit)} ({low}–{high})"


def format_quantity(number: float, unit: str = "") -> str:
    """A number of the configuration as it was written, with its unit.

    Example:
        >>> format_quantity(-1.50)
        '−1.5'
    """
    return _typeset(f"{number:g}", unit)


def format_atoms(share: float) -> str:
    """A share of atoms in atomic percent; one decimal below 10 at%.

    Example:
        >>> format_atoms(0.35).replace(NO_BREAK, " "), format_atoms(0.05).replace(NO_BREAK, " ")
        ('35 at%', '5 at%')
    """
    return format_quantity(round(100 * share, 0 if share >= 0.1 else 1), "at%")


def format_count(number: float) -> str:
    """A whole number with its thousands separated; a power of ten from a million million.

    Example:
        >>> format_count(1234567).replace(NO_BREAK, " "), format_count(1e15).replace(NO_BREAK, " ")
        ('1 234 567', '1.0 × 10^15')
    """
    if number < 1e12:
        return f"{number:,.0f}".replace(",", NO_BREAK)
    digits, _, power = f"{number:.1e}".partition("e+")
    return f"{digits}{NO_BREAK}×{NO_BREAK}10^{int(power)}"


def format_short(number: float, digits: int = 2) -> str:
    """A number with so many significant figures and no trailing zeros: how many times another it is.

    Example:
        >>> format_short(4.0), format_short(12.34)
        ('4', '12')
    """
    return _typeset(f"{number:.{digits}g}")


def format_significant(number: float, digits: int = 3) -> str:
    """A number with so many significant figures and never an exponent where people read none.

    Example:
        >>> format_significant(12.5, 2), format_significant(0.001234), format_significant(1e-9)
        ('12', '0.00123', '1.00e-09')
    """
    if not np.isfinite(number):
        return "–"
    if number == 0:
        return "0"
    places = digits - 1 - int(np.floor(np.log10(abs(number))))
    if places > 7 or places < -4:
        return f"{number:.{digits - 1}e}"
    return _typeset(f"{number:.{max(places, 0)}f}")
