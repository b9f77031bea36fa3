"""Tables of candidates: what the searched model and the judges predict of each, and which column holds it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from nestmat.scales import predictions
from nestmat.tables import Column

MODEL = "model"
"""The searched model itself, as a judge of its own proposals: its columns have no prefix."""
VERDICTS = ("distance", "violation", "hit")
"""What a judge makes of all targets and constraints of a problem together."""
DOMAIN_COLUMNS: Mapping[str, Column] = {
    "domain": Column("string", description="inside, edge or outside of the domain of the training data"),
    "reason": Column("string", description="why it is not inside; empty where it is"),
}
"""How a material stands to what the searched models were trained on."""
_KEYS: Mapping[str, Column] = {
    "method": Column("string"),
    "seed": Column("int32", description="seed of the search"),
    "rank": Column("int32", description="place among the candidates of the search, from 1"),
    "formula": Column("string"),
    **DOMAIN_COLUMNS,
}
_FLAGS = ("known",)
PROMISED = "promised"
"""Column of the probability of a hit that the searched predictor states."""


def mean_column(quantity: str, judge: str = MODEL) -> str:
    """Column with the mean of a quantity as a judge predicts it; by default the searched model.

    Example:
        >>> mean_column("electronic.gap"), mean_column("electronic.gap", "trees")
        ('electronic.gap.mean', 'trees.electronic.gap.mean')
    """
    return predictions.mean_column(_prefixed(quantity, judge))


def std_column(quantity: str, judge: str = MODEL) -> str:
    """Column with the standard deviation of a quantity as a judge predicts it."""
    return predictions.std_column(_prefixed(quantity, judge))


def verdict_column(verdict: str, judge: str = MODEL) -> str:
    """Column with one of `VERDICTS` of a judge."""
    return _prefixed(verdict, judge)


def prediction_columns(
    quantities: Mapping[str, tuple[ArrayLike, ArrayLike]], judge: str = MODEL
) -> dict[str, ArrayLike]:
    """Columns with what a judge predicts, of mean and standard deviation by quantity, in their order.

    Example:
        >>> prediction_columns({"gap": ([1.1], [0.2])})
        {'gap.mean': [1.1], 'gap.std': [0.2]}
    """
    columns: dict[str, ArrayLike] = {}
    for quantity, (mean, std) in quantities.items():
        columns |= {mean_column(quantity, judge): mean, std_column(quantity, judge): std}
    return columns


def _prefixed(name: str, judge: str) -> str:
    return name if judge == MODEL else f"{judge}.{name}"


def candidate_schema(columns: Iterable[str], units: Mapping[str, str]) -> dict[str, Column]:
    """Schema of the columns of a table of candidates.

    Args:
        columns: Names of the columns.
        units: Unit of every quantity of the problem.
    """
    schema = {}
    for column in columns:
        if column in _KEYS:
            schema[column] = _KEYS[column]
        elif column in _FLAGS or column.rpartition(".")[2] == "hit":
            schema[column] = Column("bool")
        elif column == PROMISED:
            schema[column] = Column("float64", description="predicted probability of a hit")
        elif prediction := predictions.quantity_of(column):
            schema[column] = Column("float64", unit=_unit(prediction[0], units))
        else:
            schema[column] = Column("float64")
    return schema


def _unit(judged_quantity: str, units: Mapping[str, str]) -> str:
    """Unit of a quantity that may have the name of a judge before it."""
    for quantity, unit in units.items():
        if judged_quantity == quantity or judged_quantity.endswith(f".{quantity}"):
            return unit
    return ""


@dataclass(frozen=True)
class CandidateTable:
    """Candidates of a design problem, one row each, with what the searched model and the judges predict.

    The columns are ``formula``, the numbers of the design space, ``<quantity>.mean`` and ``<quantity>.std``
    of the searched model, its ``distance`` from the targets, ``violation`` of the constraints and ``hit``;
    the same behind ``<judge>.`` of every judge; and those that tables add: ``method``, ``seed``, ``rank``,
    ``novelty``, ``domain``, ``reason``, ``known``, ``promised``.

    Attributes:
        frame: The table.

    Example:
        >>> columns = {"gap.mean": [1.0, 1.4], "trees.gap.mean": [1.1, 1.2], "trees.hit": [True, False]}
        >>> table = CandidateTable(pd.DataFrame({"formula": ["A", "B"], **columns}))
        >>> table.judges, table.mean("gap", "trees").tolist(), table.hit("trees").tolist()
        (['trees'], [1.1, 1.2], [True, False])
    """

    frame: pd.DataFrame

    def __len__(self) -> int:
        return len(self.frame)

    def mean(self, quantity: str, judge: str = MODEL) -> pd.Series:
        """Mean of a quantity as a judge predicts it."""
        return self.frame[mean_column(quantity, judge)]

    def std(self, quantity: str, judge: str = MODEL) -> pd.Series:
        """Standard deviation of a quantity as a judge predicts it; NaN where it states none."""
        return self.frame[std_column(quantity, judge)]

    def hit(self, judge: str = MODEL) -> pd.Series:
        """Whether a judge finds all targets and constraints met."""
        return self.frame[verdict_column("hit", judge)].astype(bool)

    def distance(self, judge: str = MODEL) -> pd.Series:
        """Distance from the targets, in tolerances, as a judge predicts it."""
        return self.frame[verdict_column("distance", judge)]

    def violation(self, judge: str = MODEL) -> pd.Series:
        """Violation of the constraints, in tolerances, as a judge predicts it; 0 where all are kept."""
        return self.frame[verdict_column("violation", judge)]

    def numbers(self, columns: Iterable[str]) -> NDArray[np.float64]:
        """Numbers of the design space, (n, columns)."""
        return self.frame[list(columns)].to_numpy(np.float64)

    def predicts(self, quantity: str, judge: str = MODEL) -> bool:
        """Whether the table holds the mean of a quantity by a judge."""
        return mean_column(quantity, judge) in self.frame

    @property
    def judges(self) -> list[str]:
        """Judges besides the searched model that decide on hits, in the order of the columns."""
        ending = verdict_column("hit", "")
        return [name.removesuffix(ending) for name in map(str, self.frame) if name.endswith(ending)]

    def judges_of(self, quantity: str) -> list[str]:
        """Judges besides the searched model that predict a quantity, in the order of the columns."""
        ending = mean_column(quantity, "")
        return [name.removesuffix(ending) for name in map(str, self.frame) if name.endswith(ending)]

    @property
    def predictions(self) -> pd.DataFrame:
        """The columns of means and standard deviations."""
        return self.frame[[name for name in map(str, self.frame) if predictions.quantity_of(name)]]

    @property
    def means(self) -> pd.DataFrame:
        """The columns of means, by quantity."""
        means = {}
        for name in map(str, self.frame):
            match predictions.quantity_of(name):
                case quantity, "mean":
                    means[name] = quantity
        return self.frame[list(means)].rename(columns=means)

    def where(self, mask: Any) -> CandidateTable:
        """The candidates for which a mask (n,) holds."""
        return CandidateTable(self.frame[mask])

    def schema(self, units: Mapping[str, str]) -> dict[str, Column]:
        """Schema of the table, with the unit of every quantity of the problem."""
        return candidate_schema(map(str, self.frame.columns), units)
