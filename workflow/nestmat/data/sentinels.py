"""Numbers that stand for a missing value though nobody says so: extreme, repeated, far from all others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

DISTANCE = 20.0
"""Interquartile ranges between such a number and its nearest neighbour."""
_MOST, _FEWEST_ROWS, _FEWEST_LEVELS = 5, 8, 4
_CODE = re.compile(r"-?(?:9{2,}(?:\.9+|\.0)?|1e\+?(?:[12]\d|3[0-8])|8{3,}\.0|7{3,}\.0)")
"""Digits by which even a single number shows: 999, -9999, 1e30."""


class SuspectedSentinel(NamedTuple):
    """A number that probably stands for no value.

    Attributes:
        value: The number.
        rows: Rows that have it.
        first: Index of the first of them.
    """

    value: float
    rows: int
    first: int


def suspected_sentinels(values: np.ndarray) -> Iterator[SuspectedSentinel]:
    """Numbers of a column that probably stand for a missing value.

    Such a number is the smallest or the largest one, occurs twice where most of the others differ or has the
    digits of a code such as -999, and lies farther than `DISTANCE` interquartile ranges of the others from
    the nearest of them.

    Args:
        values: Numbers of a column, NaN where there is none, (n,).

    Example:
        >>> gaps = np.array([1.2, -999, 1.4, 2.0, 1.1, 1.7, 2.2, -999, 1.5, 1.3, 1.9])
        >>> next(suspected_sentinels(gaps))
        SuspectedSentinel(value=-999.0, rows=2, first=1)
    """
    rest = np.sort(values[np.isfinite(values)])
    for _ in range(_MOST):
        if len(rest) < _FEWEST_ROWS or rest[0] == rest[-1]:
            return
        for end in (rest[0], rest[-1]):
            others = rest[rest != end]
            if len(np.unique(others)) < _FEWEST_LEVELS:
                return
            low, high = np.quantile(others, [0.25, 0.75])
            # Where most values agree, differences are measured by their size.
            spread = max(high - low, 1e-3 * abs(low + high) / 2)
            gap = np.min(np.abs(others - end))
            count = len(rest) - len(others)
            is_code = _CODE.fullmatch(repr(float(end))) is not None
            # Of a property of few species most values agree, and the others are as true as these.
            stands_out = is_code or (count > 1 and high > low)
            if gap > DISTANCE * spread and stands_out and 5 * count < len(rest):
                yield SuspectedSentinel(float(end), count, int(np.argmax(values == end)))
                rest = others
                break
        else:
            return
