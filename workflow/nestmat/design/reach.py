"""Targets and constraints that no candidate meets, with the nearest that can be had."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from nestmat.search.candidate_table import CandidateTable
from nestmat.search.problem import Constraint, Problem, Target, order

_ALONE = {
    "target": "reaches the target for",
    "constraint": "keeps the constraint on",
}
_TOGETHER = {"target": "reaches all targets", "constraint": "keeps all constraints"}
UNMET = "unmet"
"""Key of the provenance of tables of judged candidates: `Unmet.facts` of what no candidate meets."""
ADVICE = "Ask for less, or widen the space."


@dataclass(frozen=True)
class Unmet:
    """A target or a constraint that no candidate meets, and the candidate that comes nearest.

    Attributes:
        kind: What it is.
        quantity: Name of its quantity.
        of: Whether the mean is bounded, or the standard deviation.
        low: Smallest value that meets it; None for none.
        high: Largest value.
        sigmas: Standard deviations to spare that a constraint asks for, or that count against a target.
        alone: Whether no candidate meets it at all; else none meets it together with the others.
        bounded: Whether the problem has constraints.
        formula: Formula of the nearest candidate.
        mean: Predicted mean of the quantity of this candidate; NaN where it is not defined for any.
        std: Its standard deviation; NaN where none is stated.
    """

    kind: Literal["target", "constraint"]
    quantity: str
    of: Literal["mean", "std"]
    low: float | None
    high: float | None
    sigmas: float
    alone: bool
    bounded: bool
    formula: str
    mean: float
    std: float

    def facts(self) -> dict[str, Any]:
        """All attributes as plain values."""
        return asdict(self)


def find_unmet(problem: Problem, frame: pd.DataFrame) -> list[Unmet]:
    """Constraints that no candidate keeps, or else targets that none which keeps them reaches.

    Args:
        problem: Targets and constraints.
        frame: Candidates with formula and predictions, as `nestmat.design.candidates.candidate_table` makes
            them.

    Returns:
        None where a candidate is predicted to be a hit. Where each target, or each constraint, is met by
        some and no candidate meets all, those that the nearest candidate misses.
    """
    if frame["hit"].any():
        return []
    feasible = frame[frame["violation"] == 0].reset_index(drop=True)
    if len(feasible):
        reach = [_excess(target, CandidateTable(feasible)) for target in problem.targets]
        parts = list(zip(problem.targets, reach, strict=True))
        return _missed("target", parts, feasible, bounded=bool(problem.constraints))
    frame = frame.reset_index(drop=True)
    broken = [_violation(constraint, CandidateTable(frame)) for constraint in problem.constraints]
    return _missed("constraint", list(zip(problem.constraints, broken, strict=True)), frame, bounded=True)


def _excess(target: Target, table: CandidateTable) -> NDArray[np.float64]:
    """How far means are beyond the range of a target, (n,); infinite without a value."""
    low, high = target.range
    mean = table.mean(target.quantity).to_numpy(np.float64)
    return np.nan_to_num(np.maximum(np.maximum(low - mean, mean - high), 0.0), nan=np.inf)


def _violation(constraint: Constraint, table: CandidateTable) -> NDArray[np.float64]:
    """Violation of a constraint, (n,)."""
    moments = (table.mean(constraint.quantity), table.std(constraint.quantity))
    return constraint.violation(*(torch.from_numpy(part.to_numpy(np.float64)) for part in moments)).numpy()


def _missed(
    kind: Literal["target", "constraint"],
    parts: Sequence[tuple[Target | Constraint, NDArray[np.float64]]],
    frame: pd.DataFrame,
    *,
    bounded: bool,
) -> list[Unmet]:
    """Parts that no candidate meets, each with its nearest; else those that the best candidate misses.

    Args:
        kind: What the parts are.
        parts: Targets or constraints, with how far each candidate is from meeting them, (n,).
        frame: The candidates.
        bounded: Whether the problem has constraints.
    """
    table = CandidateTable(frame)
    rows = [(part, int(values.argmin())) for part, values in parts if values.min() > 0]
    alone = bool(rows)
    if not alone:
        nearest = int(order(frame)[0])
        rows = [(part, nearest) for part, values in parts if values[nearest] > 0]
    return [
        Unmet(
            kind,
            part.quantity,
            part.of,
            low if np.isfinite(low) else None,
            high if np.isfinite(high) else None,
            part.sigmas,
            alone,
            bounded,
            str(frame["formula"].iloc[row]),
            float(table.mean(part.quantity).iloc[row]),
            float(table.std(part.quantity).iloc[row]),
        )
        for part, row in rows
        for low, high in [part.range]
    ]


def describe_unmet(unmet: Iterable[Unmet], names: Mapping[str, tuple[str, str]]) -> list[str]:
    """Sentences for a reader: what cannot be had, and the nearest that can.

    Args:
        unmet: What `find_unmet` returns.
        names: Name and unit of each quantity.

    Example:
        >>> short = Unmet("target", "gap", "mean", 2.0, None, 0.0, True, True, "CsSnI3", 1.31, 0.05)
        >>> describe_unmet([short], {"gap": ("gap", "eV")})[0].partition(": ")[2]
        'the nearest, CsSnI3, has 1.31 ± 0.05 eV.'
    """
    parts = list(unmet)
    if not parts:
        return []
    if parts[0].alone:
        return [*(_alone(part, *names[part.quantity]) for part in parts), ADVICE]
    missed = [
        f"{_predicted(part, names[part.quantity][1])} of {names[part.quantity][0]}, where "
        f"{_range(part, names[part.quantity][1])} is asked for"
        for part in parts
    ]
    together = f"{_TOGETHER[parts[0].kind]} at once: the nearest, {parts[0].formula}"
    return [f"No candidate {together}, has {' and '.join(missed)}.", ADVICE]


def _alone(part: Unmet, name: str, unit: str) -> str:
    quantity = f"the standard deviation of {name}" if part.of == "std" else name
    kept = " that keeps the constraints" * (part.kind == "target" and part.bounded)
    asked = f"No candidate{kept} {_ALONE[part.kind]} {quantity} of {_range(part, unit)}"
    if part.kind == "constraint" and part.sigmas:
        asked += f" with {part.sigmas:.4g} standard deviation{'s' * (part.sigmas != 1)} to spare"
    if np.isnan(part.mean):
        return f"{asked}: it is not defined for any."
    return f"{asked}: the nearest, {part.formula}, has {_predicted(part, unit)}."


def _range(part: Unmet, unit: str) -> str:
    ends = [_number(end, unit) for end in (part.low, part.high) if end is not None]
    if part.low is None:
        return f"at most {ends[0]}"
    return f"at least {ends[0]}" if part.high is None else f"{part.low:.4g} to {ends[1]}"


def _predicted(part: Unmet, unit: str) -> str:
    if part.of == "std":
        return _number(part.std, unit)
    return (
        _number(part.mean, unit) if np.isnan(part.std) else f"{part.mean:.4g} ± {_number(part.std, unit, 2)}"
    )


def _number(value: float, unit: str, digits: int = 4) -> str:
    return f"{value:.{digits}g} {unit}".rstrip()
