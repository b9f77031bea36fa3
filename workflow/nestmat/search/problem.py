"""Optimisation problems of inverse design: a space, predictions, targets and constraints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat.deferred import no_grad, torch
from nestmat.errors import InputError
from nestmat.search.candidate_table import mean_column, prediction_columns, std_column
from nestmat.search.pareto import non_dominated
from nestmat.search.spaces.base import DesignSpace

if TYPE_CHECKING:
    from torch import Tensor

Goal = Literal["value", "range", "maximise", "minimise"]
Quantities: TypeAlias = "Mapping[str, tuple[Tensor, Tensor]]"
"""Mean and standard deviation of each quantity, (n,) each."""


@dataclass(frozen=True)
class Target:
    """The goal for one quantity.

    Attributes:
        quantity: Name of the quantity.
        goal: ``value``, ``range``, ``maximise`` or ``minimise``.
        low: Lower end of a range, or the desired value.
        high: Upper end of a range; not used otherwise.
        tolerance: Unit of distances from the target, in the unit of the quantity: a value is met within one
            tolerance, and a sum over targets is one of tolerances.
        enough: Threshold of a hit where the quantity is maximised or minimised; without one everything is a
            hit.
        sigmas: Standard deviations that count against a material: what is sought is met from the worse side
            of the interval.

    Raises:
        InputError: The tolerance, the range or the threshold does not fit the goal.

    Example:
        >>> Target("gap", "range", 1.2, 1.6).hit(np.array([1.4, 1.8])).tolist()
        [True, False]
    """

    quantity: str
    goal: Goal
    low: float = 0.0
    high: float = 0.0
    tolerance: float = 1.0
    enough: float | None = None
    sigmas: float = 0.0
    of: ClassVar[Literal["mean"]] = "mean"
    """What has to meet it, as `Constraint.of`."""

    def __post_init__(self) -> None:
        if not self.tolerance > 0:
            raise _not_positive(self.quantity, self.tolerance)
        if self.enough is not None and self.goal not in ("maximise", "minimise"):
            raise InputError(
                f"The target for {self.quantity} has the goal {self.goal!r}, for which there is no `enough`.",
                key="enough",
                value=self.enough,
                remedy="give a threshold only where the quantity is maximised or minimised.",
            )
        if self.goal == "range" and not self.low < self.high:
            raise InputError(
                f"The range of the target for {self.quantity} is empty.",
                value=[self.low, self.high],
                remedy="choose low < high.",
            )

    @property
    def mean_column(self) -> str:
        """Column of the quantity's mean in a table of candidates."""
        return mean_column(self.quantity)

    @property
    def std_column(self) -> str:
        """Column of its standard deviation there."""
        return std_column(self.quantity)

    def distance(self, mean: Tensor, std: Tensor) -> Tensor:
        """Distance from the target in tolerances, (n,), less is better; an open goal counts from 0.

        A mean without a standard deviation (NaN) counts as exact.
        """
        margin = self.sigmas * torch.nan_to_num(std, nan=0.0)
        if self.goal == "value":
            return ((mean - self.low).abs() + margin) / self.tolerance
        if self.goal == "range":
            beyond = torch.relu(self.low - mean + margin) + torch.relu(mean + margin - self.high)
            return beyond / self.tolerance
        return (margin + (mean if self.goal == "minimise" else -mean)) / self.tolerance

    @property
    def range(self) -> tuple[float, float]:
        """Values that meet the target, both ends included."""
        if self.goal == "value":
            return self.low - self.tolerance, self.low + self.tolerance
        if self.goal == "range":
            return self.low, self.high
        if self.enough is None:
            return -np.inf, np.inf
        return (self.enough, np.inf) if self.goal == "maximise" else (-np.inf, self.enough)

    def hit(self, mean: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether the target is met, (n,)."""
        if self.goal == "value":
            return np.abs(mean - self.low) <= self.tolerance
        low, high = self.range
        return (mean >= low) & (mean <= high)


@dataclass(frozen=True)
class Constraint:
    """Bounds on a quantity, with a margin in standard deviations.

    Attributes:
        quantity: Name of the quantity.
        low: Smallest value; None for none.
        high: Largest value; None for none.
        sigmas: Standard deviations between the mean and the bound; negative to accept uncertain materials.
        tolerance: Unit of violations, in the unit of the quantity.
        of: Whether the mean is bounded, or the standard deviation.

    Raises:
        InputError: There is no bound, or the tolerance is not positive.
    """

    quantity: str
    low: float | None = None
    high: float | None = None
    sigmas: float = 0.0
    tolerance: float = 1.0
    of: Literal["mean", "std"] = "mean"

    def __post_init__(self) -> None:
        if self.low is None and self.high is None:
            raise InputError(
                f"The constraint on {self.quantity} has no bound.", remedy="give `low`, `high` or both."
            )
        if not self.tolerance > 0:
            raise _not_positive(self.quantity, self.tolerance)

    @property
    def column(self) -> str:
        """Column of what is bounded in a table of candidates."""
        return mean_column(self.quantity) if self.of == "mean" else std_column(self.quantity)

    @property
    def range(self) -> tuple[float, float]:
        """Values that keep the bounds, both ends included."""
        return (-np.inf if self.low is None else self.low, np.inf if self.high is None else self.high)

    def violation(self, mean: Tensor, std: Tensor) -> Tensor:
        """Violation of the bounds in tolerances, 0 where they are kept, (n,).

        A mean without a standard deviation (NaN) counts as exact; the violation of a quantity without a value
        is infinite.
        """
        value = mean if self.of == "mean" else std
        margin = self.sigmas * torch.nan_to_num(std, nan=0.0)
        excess = torch.zeros_like(mean)
        if self.low is not None:
            excess = excess + torch.relu(self.low - (value - margin))
        if self.high is not None:
            excess = excess + torch.relu(value + margin - self.high)
        return torch.nan_to_num(excess / self.tolerance, nan=torch.inf)


def _not_positive(quantity: str, tolerance: float) -> InputError:
    return InputError(
        f"The tolerance of {quantity} is not positive.",
        key="tolerance",
        value=tolerance,
        remedy="give a number above 0.",
    )


@dataclass(frozen=True)
class Problem:
    """A design problem: materials, predictions, targets and constraints.

    Attributes:
        space: The materials that may be proposed.
        predict: Returns the quantities of materials (n, columns), differentiable.
        targets: Targets, one or more.
        constraints: Constraints.
        outside: Returns which canonical materials (n, columns) are outside the domain of the training data,
            (n,): they rank behind all others that keep the constraints, and may be hits. None where that does
            not count.

    Raises:
        InputError: There is no target, or a quantity is not predicted.
    """

    space: DesignSpace
    predict: Callable[[Tensor], Quantities]
    targets: Sequence[Target]
    constraints: Sequence[Constraint] = field(default_factory=tuple)
    outside: Callable[[NDArray[np.float64]], NDArray[np.bool_]] | None = None

    def __post_init__(self) -> None:
        if not self.targets:
            raise InputError("The design problem has no target.", key="targets", remedy="give one or more.")
        with torch.no_grad():
            predicted = self.predict(torch.from_numpy(self.space.sample(1, 0)))
        for name in [t.quantity for t in self.targets] + [c.quantity for c in self.constraints]:
            if name not in predicted:
                raise InputError(
                    f"The quantity {name!r} is not predicted.",
                    key="targets",
                    remedy=f"choose from {', '.join(predicted)}.",
                )

    def distance_and_violations(self, quantities: Quantities) -> tuple[Tensor, Tensor]:
        """Distance from the targets and violations of the constraints.

        Args:
            quantities: Quantities of materials.

        Returns:
            Distance from all targets (n,), and the violation of each constraint, (n, constraints).
        """
        distance = torch.stack([t.distance(*quantities[t.quantity]) for t in self.targets]).sum(dim=0)
        violations = [c.violation(*quantities[c.quantity]) for c in self.constraints]
        if not violations:
            return distance, distance.new_zeros(len(distance), 0)
        return distance, torch.stack(violations, dim=1)

    @no_grad
    def evaluate(
        self,
        x: NDArray[np.float64],
        precision: torch.dtype | None = None,
        device: torch.device | str = "cpu",
    ) -> pd.DataFrame:
        """Predictions for materials.

        Args:
            x: Materials, (n, columns).
            precision: Floating-point type of the computation, by default double.
            device: Device of the computation.

        Returns:
            ``<quantity>.mean`` and ``<quantity>.std`` of each quantity; ``distance`` from all targets and
            ``violation`` of all constraints together; ``hit``: whether all of them are met; and ``outside``,
            where that counts.
        """
        numbers = np.asarray(x, dtype=np.float64)
        materials = torch.from_numpy(numbers).to(device, precision or torch.float64)
        table = self.tabulate(self.predict(materials))
        return table if self.outside is None else table.assign(outside=self.outside(numbers))

    @no_grad
    def tabulate(self, quantities: Quantities) -> pd.DataFrame:
        """Table of quantities of materials, as `evaluate` returns it."""
        distance, violations = self.distance_and_violations(quantities)
        columns = prediction_columns(
            {
                name: (mean.double().cpu().numpy(), std.double().cpu().numpy())
                for name, (mean, std) in quantities.items()
            }
        )
        violation = violations.sum(dim=1).double().cpu().numpy()
        met = [target.hit(np.asarray(columns[target.mean_column])) for target in self.targets]
        return pd.DataFrame(
            {
                **columns,
                "distance": distance.double().cpu().numpy(),
                "violation": violation,
                "hit": np.logical_and.reduce(met) & (violation == 0),
            }
        )

    def hit_probability(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Predicted probability that a material meets every target and keeps every bound of a mean, (n,).

        Predictions count as normal, those of different quantities as independent of each other, and as exact
        where no standard deviation is stated; bounds of standard deviations are met or not.

        Args:
            table: What `evaluate` returns.
        """
        stated = [(target.quantity, target.range) for target in self.targets]
        stated += [(part.quantity, part.range) for part in self.constraints if part.of == "mean"]
        ranges: dict[str, tuple[float, float]] = {}
        for quantity, (smallest, largest) in stated:
            low, high = ranges.get(quantity, (-np.inf, np.inf))
            ranges[quantity] = max(low, smallest), min(high, largest)
        probability = np.ones(len(table))
        for quantity, (low, high) in ranges.items():
            mean, std = (
                table[column].to_numpy(np.float64) for column in (mean_column(quantity), std_column(quantity))
            )
            spread = np.where(std > 0, std, 1.0)
            below = [torch.from_numpy((end - mean) / spread) for end in (high, low)]
            inside = (torch.special.ndtr(below[0]) - torch.special.ndtr(below[1])).numpy()
            exact = (mean >= low) & (mean <= high)
            probability *= np.where(std > 0, np.maximum(inside, 0.0), exact)
        for constraint in self.constraints:
            if constraint.of == "std":
                low, high = constraint.range
                probability *= table[constraint.column].between(low, high).to_numpy()
        return probability

    def distances(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Distance from each target, (n, targets), in a table of `evaluate`; less is better."""
        distances = [
            t.distance(*(torch.from_numpy(table[name].to_numpy()) for name in (t.mean_column, t.std_column)))
            for t in self.targets
        ]
        return torch.stack(distances, dim=1).numpy()

    def front(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """Which rows keep the constraints and are not dominated by another such row, (n,).

        Rows outside the domain are among them only where all that keep the constraints are outside.
        """
        values, feasible = self.distances(table), table["violation"].to_numpy() == 0
        inside = feasible & ~outside_of(table)
        compared = inside if inside.any() else feasible
        return non_dominated(np.where(compared[:, None], values, np.nan))


def outside_of(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Which rows of a table of `Problem.evaluate` are outside the domain, (n,); none by default."""
    return table["outside"].to_numpy(bool) if "outside" in table else np.zeros(len(table), dtype=bool)


def feasibility_key(
    table: pd.DataFrame,
) -> tuple[NDArray[np.float64], NDArray[np.int8], NDArray[np.float64]]:
    """Keys of `order`: the violation, the place to the domain, and the distance.

    A distance or violation without a value counts as infinite. Where the table states which rows are outside
    the domain, the second key is 0 of hits that are not, 1 of other hits, and 2 and 3 of the rest.
    """
    violation, distance = (table[name].to_numpy() for name in ("violation", "distance"))
    place = outside_of(table).astype(np.int8)
    if "outside" in table:
        place += np.where(table["hit"].to_numpy(bool), 0, 2).astype(np.int8)
    return (
        np.where(np.isnan(violation), np.inf, violation),
        place,
        np.where(np.isnan(distance), np.inf, distance),
    )


def order(table: pd.DataFrame) -> NDArray[np.int64]:
    """Rows from best to worst: those that keep the constraints by distance, then the others by violation.

    The rule of feasibility of Deb, Comput. Methods Appl. Mech. Eng. 186, 311 (2000). Of rows with the same
    violation hits come first where the table states what is outside the domain, and of hits and of others
    those outside come last: a material inside that misses the targets is no better than one outside that
    meets them. Equal rows keep their order.

    Example:
        >>> order(pd.DataFrame({"violation": [0.0, 0.5, 0.0], "distance": [2.0, 0.1, 1.0]})).tolist()
        [2, 0, 1]
    """
    return np.lexsort(feasibility_key(table)[::-1])


def ranks(table: pd.DataFrame) -> NDArray[np.int64]:
    """Place of each row in `order`, from 0 for the best."""
    return np.argsort(order(table))
