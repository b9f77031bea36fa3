"""Which species the materials of a table or of a design space have, by site where they are ABX3."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat.errors import InputError
from nestmat.materials import ions
from nestmat.materials.formulas import parse_many


@dataclass(frozen=True)
class Constituents:
    """Species of n materials.

    Attributes:
        species: Names of the columns: ``<site>:<species>``, as in a design space, or the species alone where
            it has no site.
        present: Whether a material has a species, (n, species).

    Example:
        >>> halides = Constituents.of_keys(["Br=0.3 Cs=0.2 I=0.3 Pb=0.2"], by_site=True)
        >>> halides.species, halides.counts(["A", "B", "X"]).tolist()
        (('A:Cs', 'B:Pb', 'X:Br', 'X:I'), [[1, 1, 2]])
    """

    species: tuple[str, ...]
    present: NDArray[np.bool_]

    @classmethod
    def of_keys(cls, keys: Sequence[str], by_site: bool) -> Constituents:
        """Species of materials.

        Args:
            keys: Keys of the materials, as `nestmat.materials.formulas.Formula.key`, (n,).
            by_site: Whether the materials are ABX3, and every ion that has a site is named with it.
        """
        place, distinct = pd.factorize(pd.Series(keys, dtype=object))
        symbols = [[part.partition("=")[0] for part in key.split()] for key in distinct]
        sites = {name: ion.site for name, ion in ions.table().items()} if by_site else {}
        columns = {
            symbol: f"{sites[symbol]}:{symbol}" if symbol in sites else symbol
            for symbol in sorted({symbol for of_material in symbols for symbol in of_material})
        }
        order = {symbol: number for number, symbol in enumerate(sorted(columns, key=columns.__getitem__))}
        present = np.zeros((len(distinct), len(order)), dtype=bool)
        rows = np.repeat(np.arange(len(distinct)), [len(of_material) for of_material in symbols])
        present[rows, [order[symbol] for of_material in symbols for symbol in of_material]] = True
        return cls(tuple(columns[symbol] for symbol in order), present[place])

    @cached_property
    def sites(self) -> NDArray[np.str_]:
        """Site of each species, (species,); empty where it has none."""
        return np.array([site_of(name) for name in self.species], dtype=str)

    def counts(self, sites: Iterable[str]) -> NDArray[np.int64]:
        """Number of species on each of some sites, (n, sites); the site "" is the whole material."""
        return np.stack([self.present[:, self.sites == site].sum(axis=1) for site in sites], axis=1)

    def aligned(self, species: Sequence[str]) -> NDArray[np.bool_]:
        """Whether a material has each of some species, (n, species)."""
        place = {name: number for number, name in enumerate(self.species)}
        absent = np.zeros(len(self.present), dtype=bool)
        columns = [self.present[:, place[name]] if name in place else absent for name in species]
        return np.stack(columns, axis=1) if columns else np.zeros((len(self.present), 0), dtype=bool)


def site_of(species: str) -> str:
    """Site in the name of a species; empty where it has none."""
    site, separator, _ = species.partition(":")
    return site if separator else ""


def with_site(species: str) -> str:
    """A species in words.

    Example:
        >>> with_site("B:Zn"), with_site("Al")
        ('Zn on site B', 'Al')
    """
    site, separator, symbol = species.partition(":")
    return f"{symbol} on site {site}" if separator else species


def are_perovskites(formulas: Iterable[str]) -> bool:
    """Whether all formulas of a table are ABX3 with ions of known sites."""
    for formula in parse_many(dict.fromkeys(formulas)).formulas:
        try:
            if formula is None or not formula.sites():
                return False
        except InputError:
            # The formula states no sites, which is the answer.
            return False
    return True
