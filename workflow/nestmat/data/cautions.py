"""What a table cannot support: targets that hardly vary, few materials, values far from all others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat.errors import InputError

FEW_MATERIALS = 30
"""With fewer materials errors and their differences are chance."""
ROUNDING = 1e-12
"""Spread relative to the largest value that is a rounding error."""
NARROW = 1e-6
"""Standard deviation relative to the mean below which a target is nearly constant."""
COMMON = 0.95
"""Share of the rows with one value from which a target is nearly constant."""
FAR = 30.0
"""Distance from the median, in quartile ranges, beyond which single rows rule the mean errors."""
DECADES = 10.0
"""Ratio of the largest to the smallest value from which the logarithm of a positive target is considered."""


def require_variation(values: NDArray[np.float64], target: str, file: str | Path | None = None) -> None:
    """Check that a target has two values or more.

    Args:
        values: Its values, (n,); NaN where there is none.
        target: Its column.
        file: The table, for messages.

    Raises:
        InputError: It has one value.
    """
    finite = values[np.isfinite(values)]
    if len(finite) > 1 and np.ptp(finite) <= ROUNDING * np.abs(finite).max():
        raise InputError(
            f"The target {target!r} has one value: there is nothing to learn.",
            file=file,
            column=target,
            value=float(finite[0]),
            remedy="choose another target, or give rows with other values.",
        )


def few_materials(materials: int, noun: str = "materials") -> str:
    """A caution where materials are few, in a sentence without a full stop; else empty.

    Args:
        materials: Their number.
        noun: What they are, in the plural.

    Example:
        >>> few_materials(5), few_materials(500)
        ('5 materials are few: errors measured on them have no statistical meaning', '')
    """
    if materials >= FEW_MATERIALS:
        return ""
    return f"{materials} {noun} are few: errors measured on them have no statistical meaning"


def target_cautions(values: NDArray[np.float64], target: str, is_class: bool = False) -> Iterator[str]:
    """Cautions about the values of a target, in sentences without a full stop.

    Args:
        values: Its values, (n,); NaN where there is none.
        target: Its name.
        is_class: Whether they are numbers of classes.
    """
    finite = values[np.isfinite(values)]
    if len(finite) < 2:
        return
    most_common = pd.Series(finite).value_counts()
    if most_common.iloc[0] >= COMMON * len(finite) and len(most_common) > 1:
        rows = f"{most_common.iloc[0]} of {len(finite)} rows"
        yield f"{rows} have one value of {target!r}, {most_common.index[0]:g}: there is little to learn"
    if is_class:
        return
    if 0 < finite.std() < NARROW * abs(finite.mean()):
        share = finite.std() / abs(finite.mean())
        yield f"{target!r} is nearly constant: its standard deviation is {share:.1g} of its mean"
    low, middle, high = np.quantile(finite, [0.25, 0.5, 0.75])
    distance = np.abs(finite - middle).max()
    if 0 < FAR * (high - low) < distance and not (finite.min() > 0 and finite.max() > DECADES * finite.min()):
        yield (
            f"{target!r} has values {distance / (high - low):.0f} quartile ranges from its median, which "
            "rule the mean errors: check them"
        )
