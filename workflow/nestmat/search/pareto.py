"""Pareto fronts and their hypervolume; less is better."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nestmat.errors import InputError


def non_dominated(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which rows are not dominated: no other row is at least as good in every column and better in one.

    Args:
        values: (n, objectives), less is better.

    Returns:
        (n,). Of equal rows all are dominated or none is; a row that is not finite never counts.

    Example:
        >>> non_dominated(np.array([[1.0, 2.0], [2.0, 1.0], [2.0, 2.0]])).tolist()
        [True, True, False]
    """
    from pymoo.util.nds.non_dominated_sorting import find_non_dominated

    values = _table(values)
    finite = np.flatnonzero(np.isfinite(values).all(axis=1))
    mask = np.zeros(len(values), dtype=bool)
    mask[finite[find_non_dominated(values[finite])]] = True
    return mask


def hypervolume(values: NDArray[np.float64], reference: Sequence[float] | NDArray[np.float64]) -> float:
    """Volume that rows dominate, up to a reference point that is worse.

    Zitzler & Thiele, IEEE Trans. Evol. Comput. 3, 257 (1999).

    Args:
        values: (n, objectives), less is better. Rows that are not finite, or not better than the reference in
            every column, do not contribute.
        reference: (objectives,).

    Returns:
        In the product of the objectives' units.

    Raises:
        InputError: The reference is not finite, or of another length than the rows.
    """
    from pymoo.indicators.hv import HV

    values, point = _table(values), np.asarray(reference, dtype=np.float64)
    if point.shape != values.shape[1:] or not np.isfinite(point).all():
        raise InputError(
            f"The reference point does not have {values.shape[1]} finite numbers.",
            value=point.tolist(),
            remedy="give one number for each objective.",
        )
    return float(HV(ref_point=point)(values[np.isfinite(values).all(axis=1)]))


def _table(values: NDArray[np.float64]) -> NDArray[np.float64]:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or not values.shape[1]:
        raise InputError(
            "The values are not rows of objectives.",
            value=list(values.shape),
            remedy="give a table of shape (n, objectives).",
        )
    return values
