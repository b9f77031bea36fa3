"""What a group of feature columns is, before it becomes part of a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nestmat.errors import InputError
from nestmat.materials.formulas import Formula


class Fault(NamedTuple):
    """Why a row has no features: the cell at fault and what is wrong with it."""

    column: str
    value: str
    reason: str

    @classmethod
    def of(cls, error: InputError, column: str, value: str) -> Fault:
        """The fault that an error states."""
        return cls(error.column or column, value, error.advice)


@dataclass(frozen=True)
class Block:
    """Feature columns of n rows.

    Attributes:
        columns: Names.
        values: n x columns, NaN in rows without features.
        units: Unit of each column; empty for pure numbers and where the source states none.
        faults: By position of the row, why it has none.
        levels: Categories or ions that the columns stand for, where they stand for some.
        descriptions: One line a column, or empty.
    """

    columns: list[str]
    values: NDArray[np.float64]
    units: list[str]
    faults: dict[int, Fault] = field(default_factory=dict)
    levels: list[str] | None = None
    descriptions: list[str] = field(default_factory=list)


def by_formula(
    formulas: Sequence[Formula | None],
    columns: Sequence[str],
    units: Sequence[str],
    compute: Callable[[Formula], Sequence[float]],
) -> Block:
    """A block whose rows depend on the formula alone; each distinct text is computed once.

    Args:
        formulas: One a row; a row of None stays NaN.
        columns: Names of the columns.
        units: Their units.
        compute: The values of a formula; an `InputError` becomes the fault of its rows.
    """
    values = np.full((len(formulas), len(columns)), np.nan)
    faults: dict[int, Fault] = {}
    known: dict[str, Sequence[float] | Fault] = {}
    for position, formula in enumerate(formulas):
        if formula is None:
            continue
        if formula.text not in known:
            try:
                known[formula.text] = compute(formula)
            except InputError as error:
                known[formula.text] = Fault.of(error, "formula", formula.text)
        found = known[formula.text]
        if isinstance(found, Fault):
            faults[position] = found
        else:
            values[position] = found
    return Block(list(columns), values, list(units), faults)
