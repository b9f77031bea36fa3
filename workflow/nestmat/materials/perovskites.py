"""Geometric criteria for perovskites, vectorised over arrays of radii.

Bartel et al., Sci. Adv. 5, eaav0693 (2019), doi 10.1126/sciadv.aav0693, for the tolerance factor and tau.
The window of the octahedral factor: Li et al., Acta Cryst. B 64, 702 (2008), doi 10.1107/S0108768108032734.
On alloys the radii and charges are fraction-weighted means over each site. Bartel et al. take the plain mean
of two ions instead, which is the same for equal fractions only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nestmat.materials import geometry, ions
from nestmat.materials.formulas import Formula, formula_error

TOLERANCE_WINDOW = (0.825, 1.059)
OCTAHEDRAL_WINDOW = (0.442, 0.895)
TAU_LIMIT = 4.18
# Logistic curve through the probabilities that Bartel et al. give for 576 compounds (column tau_prob of their
# table S1, by Platt's scaling), which it meets within 0.03.
PROBABILITY_MIDDLE, PROBABILITY_WIDTH = 4.265, 0.577


def _radii(*values: ArrayLike) -> list[NDArray[np.float64]]:
    """As float64 arrays of one shape, NaN where a radius is not positive."""
    arrays = np.broadcast_arrays(*(np.asarray(value, dtype=np.float64) for value in values))
    return [np.where(array > 0, array, np.nan) for array in arrays]


def tolerance_factor(r_a: ArrayLike, r_b: ArrayLike, r_x: ArrayLike) -> NDArray[np.float64]:
    """Goldschmidt's t = (rA + rX) / (sqrt(2) (rB + rX)); perovskite within `TOLERANCE_WINDOW`.

    Args:
        r_a: Radii on the A site in angstrom, of any shape; NaN in gives NaN out, as does a radius <= 0.
        r_b: Radii on the B site.
        r_x: Radii on the X site.
    """
    a, b, x = _radii(r_a, r_b, r_x)
    return geometry.tolerance_factor(a, b, x)


def octahedral_factor(r_b: ArrayLike, r_x: ArrayLike) -> NDArray[np.float64]:
    """The octahedral factor mu = rB / rX; a BX6 octahedron is expected within `OCTAHEDRAL_WINDOW`."""
    return geometry.octahedral_factor(*_radii(r_b, r_x))


def tau(r_a: ArrayLike, r_b: ArrayLike, r_x: ArrayLike, n_a: ArrayLike = 1.0) -> NDArray[np.float64]:
    """Bartel's tau = rX/rB - nA (nA - (rA/rB) / ln(rA/rB)); perovskite below `TAU_LIMIT`.

    Args:
        r_a: Radii on the A site in angstrom, of any shape.
        r_b: Radii on the B site.
        r_x: Radii on the X site.
        n_a: Charge of the A ion in elementary charges.

    Returns:
        tau, NaN where rA <= rB, for which it is not defined, or where a radius is not positive.
    """
    a, b, x = _radii(r_a, r_b, r_x)
    return geometry.tau(a, b, x, np.asarray(n_a, dtype=np.float64), np)


@dataclass(frozen=True)
class SiteMeans:
    """Fraction-weighted means on the sites of one material.

    Attributes:
        radius: Mean effective radius in angstrom by site.
        charge: Mean charge in elementary charges by site.
    """

    radius: Mapping[str, float]
    charge: Mapping[str, float]


def site_means(formula: Formula) -> SiteMeans:
    """Mean radii and charges of an ABX3 formula, weighted by the fractions on each site.

    Raises:
        InputError: The formula is not ABX3, or an ion has no known effective radius.
    """
    radius, charge = {}, {}
    for site, fractions in formula.sites().items():
        shares = [(ions.ion(symbol), share) for symbol, share in fractions.items()]
        for ion, _ in shares:
            if ion.radius is None:
                raise formula_error(
                    formula.text,
                    f"holds {ion.symbol}, of which no effective radius is known.",
                    "add the radius to resources/ions.yaml, or leave the material out.",
                )
        radius[site] = sum([share * (ion.radius or np.nan) for ion, share in shares])
        charge[site] = sum([share * ion.charge for ion, share in shares])
    return SiteMeans(radius, charge)
