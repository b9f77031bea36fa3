"""A design problem: what is wanted of which materials, and how far a material is from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from nestmat.errors import InputError
from nestmat.search.candidate_table import mean_column, prediction_columns, std_column
from nestmat.search.pareto import non_dominated
from nestmat.search.spaces.base import DesignSpace

Goal = Literal["value", "range", "maximise", "minimise"]
Quantities = Mapping[str, tuple[Tensor, Tensor]]
"""Mean and standard deviation of each quantity, (n,) each."""


@dataclass(frozen=True)
class Target:
    """What is wanted of one quantity.

    Attributes:
        quantity: Its name.
        goal: A value, a range, or as much or as little as possible.
        low: Lower end of a range; the value wanted, for ``value``.
        high: Upper end of a range; not used otherwise.
        tolerance: How much of the quantity counts as one, in its unit: a value is met within it, and a sum
            over targets weighs by it.
        enough: How much, or how little, counts as a hit where as much or as little as possible is wanted; by
            default everything does.
    """

    quantity: str
    goal: Goal
    low: float = 0.0
    high: float = 0.0
    tolerance: float = 1.0
    enough: float | None = None

    def __post_init__(self) -> None:
        if not self.tolerance > 0:
            raise InputError("is not positive.", column=f"{self.quantity}.tolerance", value=self.tolerance)
        if self.enough is not None and self.goal not in ("maximise", "minimise"):
            raise InputError(
                f"goes with maximise and minimise, not with {self.goal}.", column=f"{self.quantity}.enough"
            )
        if self.goal == "range" and not self.low < self.high:
            raise InputError("is not a range.", column=self.quantity, value=[self.low, self.high])

    @property
    def mean_column(self) -> str:
        """Column of the quantity's mean in a table of candidates."""
        return mean_column(self.quantity)

    def distance(self, mean: Tensor) -> Tensor:
        """Tolerances from what is wanted, (n,); of what has no end, the quantity itself, less is better."""
        if self.goal == "value":
            return (mean - self.low).abs() / self.tolerance
        if self.goal == "range":
            return (torch.relu(self.low - mean) + torch.relu(mean - self.high)) / self.tolerance
        return (mean if self.goal == "minimise" else -mean) / self.tolerance

    def hit(self, mean: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether what is wanted is met, (n,)."""
        if self.goal == "value":
            return np.abs(mean - self.low) <= self.tolerance
        if self.goal == "range":
            return (mean >= self.low) & (mean <= self.high)
        if self.enough is None:
            return np.ones(np.shape(mean), dtype=bool)
        return mean >= self.enough if self.goal == "maximise" else mean <= self.enough


@dataclass(frozen=True)
class Constraint:
    """A bound that a quantity has to keep, with so many standard deviations to spare.

    Attributes:
        quantity: Its name.
        low: Smallest value; None for none.
        high: Largest value; None for none.
        sigmas: Standard deviations between the mean and the bound; negative to let uncertain ones pass.
        tolerance: How much of the quantity counts as one violation, in its unit.
        of: Whether its mean is bounded, or its standard deviation.
    """

    quantity: str
    low: float | None = None
    high: float | None = None
    sigmas: float = 0.0
    tolerance: float = 1.0
    of: Literal["mean", "std"] = "mean"

    def __post_init__(self) -> None:
        if self.low is None and self.high is None:
            raise InputError("has neither low nor high.", column=self.quantity)
        if not self.tolerance > 0:
            raise InputError("is not positive.", column=f"{self.quantity}.tolerance", value=self.tolerance)

    @property
    def column(self) -> str:
        """Column of what is bounded in a table of candidates."""
        return mean_column(self.quantity) if self.of == "mean" else std_column(self.quantity)

    def violation(self, mean: Tensor, std: Tensor) -> Tensor:
        """Tolerances beyond the bounds, 0 where they are kept, (n,).

        A mean without a standard deviation (NaN) counts as exact; what has no value is infinitely far.
        """
        value = mean if self.of == "mean" else std
        spare = self.sigmas * torch.nan_to_num(std, nan=0.0)
        beyond = torch.zeros_like(mean)
        if self.low is not None:
            beyond = beyond + torch.relu(self.low - (value - spare))
        if self.high is not None:
            beyond = beyond + torch.relu(value + spare - self.high)
        return torch.nan_to_num(beyond / self.tolerance, nan=torch.inf)


@dataclass(frozen=True)
class Problem:
    """A space, what is predicted of its materials, and what is wanted.

    Attributes:
        space: The materials that may be proposed.
        predict: Quantities of materials (n, columns), differentiable.
        targets: What is wanted.
        constraints: What has to hold.
    """

    space: DesignSpace
    predict: Callable[[Tensor], Quantities]
    targets: Sequence[Target]
    constraints: Sequence[Constraint] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        if not self.targets:
            raise InputError("names no target.", column="targets", remedy="say what is wanted.")
        with torch.no_grad():
            known = self.predict(torch.from_numpy(self.space.sample(1, 0)))
        for name in [part.quantity for part in self.targets] + [part.quantity for part in self.constraints]:
            if name not in known:
                raise InputError(
                    "is not predicted.",
                    column="targets",
                    value=name,
                    remedy=f"choose from {', '.join(known)}.",
                )

    def judge(self, found: Quantities) -> tuple[Tensor, Tensor]:
        """How far materials are from what is wanted.

        Args:
            found: Their quantities.

        Returns:
            Sum of the targets' distances (n,), and the violation of each constraint, (n, constraints).
        """
        distance = torch.stack([t.distance(found[t.quantity][0]) for t in self.targets]).sum(dim=0)
        beyond = [c.violation(*found[c.quantity]) for c in self.constraints]
        return distance, torch.stack(beyond, dim=1) if beyond else distance.new_zeros(len(distance), 0)

    @torch.no_grad()
    def evaluate(
        self,
        x: NDArray[np.float64],
        precision: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> pd.DataFrame:
        """What is predicted of materials.

        Args:
            x: Materials, (n, columns).
            precision: In which it is computed.
            device: Where it is computed.

        Returns:
            For each quantity ``<quantity>.mean`` and ``<quantity>.std``; ``distance`` of the targets,
            ``violation`` of the constraints together, and ``hit``: whether all of them are met.
        """
        given = torch.from_numpy(np.asarray(x, dtype=np.float64)).to(device, precision)
        return self.assess(self.predict(given))

    @torch.no_grad()
    def assess(self, found: Quantities) -> pd.DataFrame:
        """The table that `evaluate` gives, of quantities that are known already."""
        distance, beyond = self.judge(found)
        columns = prediction_columns(
            {
                name: (mean.double().cpu().numpy(), std.double().cpu().numpy())
                for name, (mean, std) in found.items()
            }
        )
        violation = beyond.sum(dim=1).double().cpu().numpy()
        met = [target.hit(np.asarray(columns[target.mean_column])) for target in self.targets]
        return pd.DataFrame(
            {
                **columns,
                "distance": distance.double().cpu().numpy(),
                "violation": violation,
                "hit": np.logical_and.reduce(met) & (violation == 0),
            }
        )

    def distances(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Distance of each target, (n, targets), of what `evaluate` says of materials; less is better."""
        each = [t.distance(torch.from_numpy(table[t.mean_column].to_numpy())) for t in self.targets]
        return torch.stack(each, dim=1).numpy()

    def front(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """Which materials keep the constraints, and are not worse than another such in every target, (n,)."""
        values = self.distances(table)
        return non_dominated(np.where(table["violation"].to_numpy()[:, None] == 0, values, np.nan))


def badness(table: pd.DataFrame) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """What `order` sorts by: whether a constraint is broken; the distance, or the violation where one is.

    What has no value is infinitely bad.
    """
    broken = table["violation"].to_numpy() != 0
    far = np.where(broken, table["violation"].to_numpy(), table["distance"].to_numpy())
    return broken, np.where(np.isnan(far), np.inf, far)


def order(table: pd.DataFrame) -> NDArray[np.int64]:
    """Rows from best to worst: those that keep the constraints by distance, then the others by violation.

    The rule of feasibility of Deb, Comput. Methods Appl. Mech. Eng. 186, 311 (2000). Equal rows keep their
    order.
    """
    broken, far = badness(table)
    return np.lexsort((far, broken))


def ranks(table: pd.DataFrame) -> NDArray[np.int64]:
    """Place of each row in `order`, from 0 for the best."""
    return np.argsort(order(table))
