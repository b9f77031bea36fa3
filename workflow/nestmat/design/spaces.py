"""The design space of a configuration, and the compositions of formulas on its columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nestmat.config import spaces
from nestmat.materials import ions
from nestmat.materials.formulas import parse_many
from nestmat.search.spaces.alloys import ABX3Alloy, Alloy
from nestmat.search.spaces.base import Factor
from nestmat.search.spaces.box import Box
from nestmat.search.spaces.factors import Choice, Fixed, Interval
from nestmat.search.spaces.product import Product
from nestmat.search.spaces.simplex import Simplex


def design_space(given: spaces.DesignSpace) -> Product:
    """The space of a configuration.

    Raises:
        InputError: Its parts contradict each other, or an ion is unknown.
    """
    others = [_variable(name, variable) for name, variable in given.variables.items()]
    if given.sites is not None:
        sites: dict[str, Simplex] = {site: _shares(shares, site) for site, shares in given.sites.items()}
        charges = {name: ions.ion(name).charge for site in sites.values() for name in site.species}
        return ABX3Alloy(sites, charges, others)
    if given.elements is not None:
        return Alloy(_shares(given.elements), others)
    intervals = [part for part in others if isinstance(part, Interval)]
    return Box(intervals, given.symmetries) if len(intervals) == len(others) else Product(others)


def _shares(given: spaces.Simplex, site: str = "") -> Simplex:
    bounds = dict(given.bounds)
    if given.greatest < 1:
        own = {name: given.bounds.get(name, (0.0, 1.0)) for name in given.species}
        bounds |= {name: (low, min(high, given.greatest)) for name, (low, high) in own.items()}
    return Simplex(
        given.species,
        given.grid,
        site=site,
        fewest=given.fewest,
        most=given.most,
        least=given.least,
        bounds=bounds,
    )


def _variable(name: str, given: spaces.Factor) -> Factor:
    if given.levels is not None:
        return Choice(name, given.levels)
    if given.between is not None:
        return Interval(name, *given.between, given.grid, periodic=given.periodic)
    assert given.value is not None
    return Fixed(name, given.value)


def composition_columns(formulas: Sequence[str], space: Product) -> dict[str, NDArray[np.float64]]:
    """Shares of formulas on the columns of a space.

    Args:
        formulas: Formulas (n) that the reader of data sets has accepted.
        space: A space of sites or of elements.

    Returns:
        (n,) by column. What the space lacks is left out, so that the shares of a site may add up to less
        than 1.
    """
    found = {name: np.zeros(len(formulas)) for site in space.composition_factors for name in site.columns}
    for row, formula in enumerate(parse_many(list(formulas)).formulas):
        assert formula is not None
        parts = (
            {f"{site}:{ion}": share for site, mine in formula.sites().items() for ion, share in mine.items()}
            if isinstance(space, ABX3Alloy)
            else {name: float(n / sum(formula.amounts.values())) for name, n in formula.amounts.items()}
        )
        for name, share in parts.items():
            if name in found:
                found[name][row] = share
    return found
