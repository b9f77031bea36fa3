"""Design spaces of alloys: perovskites with alloyed sites, and alloys of elements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nestmat.errors import InputError
from nestmat.search.spaces.base import Factor
from nestmat.search.spaces.product import Product
from nestmat.search.spaces.simplex import Simplex

SITES = {"A": 1, "B": 1, "X": 3}


def _formula(species: Sequence[str], amounts: Sequence[float]) -> str:
    """Formula of amounts, those of 0 left out and those of 1 unwritten."""
    return "".join(
        name if amount == 1 else f"{name}{amount:.10g}"
        for name, amount in zip(species, amounts, strict=True)
        if amount > 0
    )


class ABX3Alloy(Product):
    """Halide perovskites ABX3 with alloyed sites, and continuous or chosen variables beside them.

    All ions that may share a site have one charge, and the sites together none: every material is neutral.

    Args:
        sites: Shares on A, B and X, by site.
        charges: Charge in elementary charges of each species.
        others: Further variables, for example strain, thickness or solvent.

    Raises:
        InputError: A charge is missing, species of one site differ in charge, or the sites are not neutral.
    """

    def __init__(
        self, sites: Mapping[str, Simplex], charges: Mapping[str, float], others: Sequence[Factor] = ()
    ):
        if set(sites) != set(SITES):
            raise InputError("names other sites than A, B and X.", column="sites", value=sorted(sites))
        total = 0.0
        for site, ratio in SITES.items():
            if lacking := [name for name in sites[site].species if name not in charges]:
                raise InputError("has no charge.", column="charges", value=lacking, remedy="state it.")
            found = {charges[name] for name in sites[site].species}
            if len(found) > 1:
                raise InputError(
                    f"species of site {site} differ in charge, so that alloys would not be neutral.",
                    column="charges",
                    value={name: charges[name] for name in sites[site].species},
                    remedy="keep the ions of one charge.",
                )
            total += ratio * found.pop()
        if total != 0:
            raise InputError(
                f"ions give ABX3 a charge of {total:g}.",
                column="charges",
                remedy="choose ions that are neutral.",
            )
        super().__init__([*(sites[site] for site in SITES), *others])
        self.sites = {site: sites[site] for site in SITES}

    def formulas(self, x: NDArray[np.float64]) -> list[str]:
        """Formula of each row, sites in order: ``CsPb0.5Sn0.5I3``."""
        species = [name for simplex in self.sites.values() for name in simplex.species]
        ratio = np.concatenate([[SITES[site]] * len(simplex.species) for site, simplex in self.sites.items()])
        amounts = np.asarray(x)[:, : len(species)] * ratio
        return [_formula(species, row) for row in amounts.tolist()]


class Alloy(Product):
    """Alloys of a few out of many elements.

    Args:
        elements: Shares of the elements.
        others: Further variables.
    """

    def __init__(self, elements: Simplex, others: Sequence[Factor] = ()):
        super().__init__([elements, *others])
        self.elements = elements

    def formulas(self, x: NDArray[np.float64]) -> list[str]:
        """Formula of each row in atomic percent, elements in the order of the alphabet: ``Al25Co75``."""
        order = np.argsort(self.elements.species)
        names = [self.elements.species[place] for place in order]
        return [
            "".join(f"{name}{100 * share:.10g}" for name, share in zip(names, row, strict=True) if share > 0)
            for row in np.asarray(x)[:, order].tolist()
        ]
