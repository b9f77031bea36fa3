"""Design spaces of alloys: perovskites with alloyed sites, and alloys of elements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nestmat.errors import InputError
from nestmat.search.spaces.base import Factor, ParsedFormula
from nestmat.search.spaces.product import Product
from nestmat.search.spaces.simplex import Simplex

SITES = {"A": 1, "B": 1, "X": 3}
"""Sites of ABX3 with their number in a formula unit."""


def _formula(species: Sequence[str], amounts: Sequence[float]) -> str:
    """Formula of amounts; an amount of 0 leaves its species out, and one of 1 is not written."""
    return "".join(
        name if amount == 1 else f"{name}{amount:.10g}"
        for name, amount in zip(species, amounts, strict=True)
        if amount > 0
    )


class ABX3Alloy(Product):
    """Halide perovskites ABX3 with alloyed sites, with continuous or chosen variables in addition.

    All ions that may share a site have one charge, and the sites together none: every material is neutral.

    Args:
        sites: Fractions on A, B and X, by site.
        charges: Charge in elementary charges of each species.
        variables: Further variables, for example strain, thickness or solvent.

    Raises:
        InputError: A charge is missing, species of one site differ in charge, or the sites are not neutral.

    Example:
        >>> sites = {site: Simplex(ions, 2, site=site) for site, ions in
        ...          {"A": ["Cs"], "B": ["Pb", "Sn"], "X": ["I"]}.items()}
        >>> space = ABX3Alloy(sites, {"Cs": 1, "Pb": 2, "Sn": 2, "I": -1})
        >>> sorted(space.formulas(space.from_index(np.arange(space.n_grid_points))))
        ['CsPb0.5Sn0.5I3', 'CsPbI3', 'CsSnI3']
    """

    def __init__(
        self, sites: Mapping[str, Simplex], charges: Mapping[str, float], variables: Sequence[Factor] = ()
    ):
        if set(sites) != set(SITES):
            raise InputError(
                "A perovskite has the sites A, B and X.",
                key="sites",
                value=sorted(sites),
                remedy="name these three.",
            )
        total = 0.0
        for site, ratio in SITES.items():
            if missing := [name for name in sites[site].species if name not in charges]:
                raise InputError(
                    f"The charge of {', '.join(missing)} is missing.", key="charges", remedy="state it."
                )
            site_charges = {charges[name] for name in sites[site].species}
            if len(site_charges) > 1:
                raise InputError(
                    f"The species of site {site} differ in charge, so that alloys would not be neutral.",
                    key="charges",
                    value={name: charges[name] for name in sites[site].species},
                    remedy="keep the ions of one charge.",
                )
            total += ratio * site_charges.pop()
        if total != 0:
            raise InputError(
                f"The ions of ABX3 have a charge of {total:g} in total.",
                key="charges",
                remedy="choose ions that are neutral.",
            )
        super().__init__([*(sites[site] for site in SITES), *variables])
        self.sites = {site: sites[site] for site in SITES}

    def fractions_of(self, formula: ParsedFormula) -> dict[str, float]:
        """As `Product.fractions_of`, by site and species.

        Raises:
            InputError: The formula is no ABX3.
        """
        return {
            f"{site}:{species}": fraction
            for site, fractions in formula.sites().items()
            for species, fraction in fractions.items()
        }

    def formulas(self, x: NDArray[np.float64]) -> list[str]:
        """Formula of each row, sites in order: ``CsPb0.5Sn0.5I3``."""
        species = [name for simplex in self.sites.values() for name in simplex.species]
        ratio = np.concatenate([[SITES[site]] * len(simplex.species) for site, simplex in self.sites.items()])
        amounts = np.asarray(x)[:, : len(species)] * ratio
        # The mixtures of a site repeat: the text of each is written once.
        texts, start = [], 0
        for simplex in self.sites.values():
            columns = slice(start, start + len(simplex.species))
            mixtures, place = np.unique(amounts[:, columns], axis=0, return_inverse=True)
            written = [_formula(simplex.species, row) for row in mixtures.tolist()]
            texts.append([written[number] for number in place.ravel().tolist()])
            start = columns.stop
        return ["".join(parts) for parts in zip(*texts, strict=True)]


class Alloy(Product):
    """Alloys of a few out of many elements.

    Args:
        elements: Atomic fractions of the elements.
        variables: Further variables.

    Example:
        >>> space = Alloy(Simplex(["Ni", "Al"], 4))
        >>> space.formulas(np.array([[0.75, 0.25]]))
        ['Al25Ni75']
    """

    def __init__(self, elements: Simplex, variables: Sequence[Factor] = ()):
        super().__init__([elements, *variables])
        self.elements = elements

    def element_fractions(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Atomic fractions (n, elements) of materials (n, columns)."""
        return self.split(x)[0]

    def formulas(self, x: NDArray[np.float64]) -> list[str]:
        """Formula of each row in atomic percent, elements in the order of the alphabet: ``Al25Co75``."""
        order = np.argsort(self.elements.species)
        names = [self.elements.species[place] for place in order]
        return [
            "".join(f"{name}{100 * share:.10g}" for name, share in zip(names, row, strict=True) if share > 0)
            for row in np.asarray(x)[:, order].tolist()
        ]
