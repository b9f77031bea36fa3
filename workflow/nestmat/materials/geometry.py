"""Geometric criteria of ABX3 perovskites, as functions of radii and charges, for numpy and for torch.

They are the formulas alone, without checks of their arguments: `nestmat.materials.perovskites` evaluates them
on arrays of radii, and the perovskite block of a design space on tensors, through which gradients flow.
"""

from __future__ import annotations

from typing import Any

CRITERIA = ("tolerance_factor", "octahedral_factor", "tau")
"""Names of the criteria, which are names of feature columns too."""
SITES = ("A", "B", "X")
CELL = ("a", "b", "c", "alpha", "beta", "gamma")
"""Columns of a crystal cell: lengths in angstrom, angles in degrees."""


def tolerance_factor(a: Any, b: Any, x: Any) -> Any:
    """Goldschmidt's t = (rA + rX) / (sqrt(2) (rB + rX)) of radii on the three sites."""
    return (a + x) / (2**0.5 * (b + x))


def octahedral_factor(b: Any, x: Any) -> Any:
    """The octahedral factor mu = rB / rX."""
    return b / x


def tau(a: Any, b: Any, x: Any, charge: Any, xp: Any) -> Any:
    """Bartel's tau = rX/rB - nA (nA - (rA/rB) / ln(rA/rB)); NaN where A is not larger than B.

    Args:
        a: Radii on the A site.
        b: Radii on the B site.
        x: Radii on the X site.
        charge: Charge nA of the A ion in elementary charges.
        xp: Module of the arrays: ``numpy`` or ``torch``.
    """
    ratio = xp.where(a > b, a / b, xp.nan)
    return x / b - charge * (charge - ratio / xp.log(ratio))
