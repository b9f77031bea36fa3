"""Fronts of materials of which none is better in everything, and how much they cover. Less is better."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nestmat.errors import InputError


def non_dominated(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Rows than which no other is at least as good in every column and better in one.

    Args:
        values: (n, objectives), less is better.

    Returns:
        (n,). Equal rows share their fate; a row that is not finite is never among them.
    """
    from pymoo.util.nds.non_dominated_sorting import find_non_dominated

    values = _table(values)
    finite = np.flatnonzero(np.isfinite(values).all(axis=1))
    mask = np.zeros(len(values), dtype=bool)
    mask[finite[find_non_dominated(values[finite])]] = True
    return mask


def hypervolume(values: NDArray[np.float64], reference: Sequence[float] | NDArray[np.float64]) -> float:
    """Volume of what rows dominate, up to a point that is worse than they are.

    Zitzler & Thiele, IEEE Trans. Evol. Comput. 3, 257 (1999).

    Args:
        values: (n, objectives), less is better. Rows that are not finite, or not better than the reference in
            every column, add nothing.
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
            f"is not a point of {values.shape[1]} finite numbers.", column="reference", value=point.tolist()
        )
    return float(HV(ref_point=point)(values[np.isfinite(values).all(axis=1)]))


def _table(values: NDArray[np.float64]) -> NDArray[np.float64]:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or not values.shape[1]:
        raise InputError("are not rows of objectives.", column="values", value=list(values.shape))
    return values
