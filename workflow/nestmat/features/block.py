"""What a feature block is: the interface of its kinds, and the columns that a kind computes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat.errors import InputError

if TYPE_CHECKING:
    from nestmat.features.differentiable import SpaceNumbers
    from nestmat.features.feature_map import Derived
    from nestmat.features.rows import Rows
    from nestmat.materials.formulas import Formula

Role = Literal["continuous", "categorical", "simplex"]


class Fault(NamedTuple):
    """Why a row has no features: the cell at fault and what is wrong with it."""

    column: str
    value: str
    reason: str

    @classmethod
    def of(cls, error: InputError, column: str, value: str) -> Fault:
        """The fault that an error states."""
        return cls(error.column or column, value, error.rejection)


class Gap(NamedTuple):
    """An element of some rows, and its properties that the source of a block lacks.

    Attributes:
        element: Its symbol.
        properties: Names of the properties that are the mean over all elements.
        total: Number of properties that the source lists.
        positions: Positions of the rows.
    """

    element: str
    properties: Sequence[str]
    total: int
    positions: Sequence[int]


@dataclass(frozen=True)
class BlockColumns:
    """Feature columns of n rows.

    Attributes:
        columns: Names.
        values: n x columns, NaN in rows without features.
        units: Unit of each column; empty for pure numbers and where the source states none.
        faults: By position of the row, why it has none.
        levels: Categories or ions that the columns stand for, where they stand for some.
        descriptions: One line a column, or empty.
        gaps: Elements of which the source lacks properties.
    """

    columns: list[str]
    values: NDArray[np.float64]
    units: list[str]
    faults: dict[int, Fault] = field(default_factory=dict)
    levels: list[str] | None = None
    descriptions: list[str] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)


class SpaceColumns(NamedTuple):
    """Feature columns of a block as functions of the numbers of a design space.

    Attributes:
        weights: Weight of each number by column; a derived column has none.
        derived: Columns that are functions of several numbers.
    """

    weights: Mapping[str, Mapping[str, float]]
    derived: tuple[Derived, ...] = ()


class BlockKind(ABC):
    """Base class of the kinds of feature blocks, whose instances are blocks of a scale.

    A kind is a frozen dataclass. Its field `argument` takes what a study writes after the kind,
    ``one_hot: solvent``; a kind without a field of this name takes its fields as keys,
    ``monolayer: {height: 0.13}``.

    Attributes:
        role: How the columns enter a model: standardised, as classes, or as fractions that sum to 1.
        runs_matminer: Whether matminer computes the columns row by row, which several processes share.
        differentiable: Whether the columns can be computed from the numbers of a design space.
    """

    role: ClassVar[Role] = "continuous"
    runs_matminer: ClassVar[bool] = False
    differentiable: ClassVar[bool] = True

    @property
    def number_columns(self) -> list[str]:
        """Number columns of the data set that the block is made of."""
        return []

    @property
    def category_columns(self) -> list[str]:
        """Category columns of the data set that the block is made of."""
        return []

    @property
    def copied_columns(self) -> list[str]:
        """Number columns that the block takes as they are."""
        return []

    @property
    def needs_formula(self) -> bool:
        """Whether the block is computed from the chemical formula."""
        return not (self.number_columns or self.category_columns)

    @abstractmethod
    def compute(self, rows: Rows, levels: Sequence[str] | None) -> BlockColumns:
        """Columns of the rows of a table.

        Args:
            rows: The rows.
            levels: Categories or ions that a trained model knows; those of the rows by default.

        Raises:
            InputError: A column that the block needs is missing or does not fit.
        """

    def map_numbers(self, numbers: SpaceNumbers) -> SpaceColumns:
        """Columns as functions of the numbers of a design space.

        Args:
            numbers: Numbers of the space, and columns that the scale was trained on.

        Raises:
            InputError: The columns cannot be computed from these numbers.
        """
        raise InputError(
            "The block describes whole compositions, which a design space cannot differentiate.",
            remedy="train the scale on blocks that follow from numbers of a space, such as columns or site.",
        )


def compute_by_formula(
    formulas: Sequence[Formula | None],
    columns: Sequence[str],
    units: Sequence[str],
    compute: Callable[[Formula], Sequence[float]],
) -> BlockColumns:
    """Columns of rows that depend on the formula alone; each distinct text is computed once.

    Args:
        formulas: One a row; a row of None stays NaN.
        columns: Names of the columns.
        units: Their units.
        compute: The values of a formula; an `InputError` becomes the fault of its rows.
    """
    values = np.full((len(formulas), len(columns)), np.nan)
    faults: dict[int, Fault] = {}
    computed: dict[str, Sequence[float] | Fault] = {}
    for position, formula in enumerate(formulas):
        if formula is None:
            continue
        if formula.text not in computed:
            try:
                computed[formula.text] = compute(formula)
            except InputError as error:
                computed[formula.text] = Fault.of(error, "formula", formula.text)
        row = computed[formula.text]
        if isinstance(row, Fault):
            faults[position] = row
        else:
            values[position] = row
    return BlockColumns(list(columns), values, list(units), faults)


def format_cell(value: Any) -> str:
    """Text of a cell; empty where it has no value."""
    if pd.isna(value):
        return ""
    return f"{value:.10g}" if isinstance(value, float) else str(value)
