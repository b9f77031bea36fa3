"""Ions of halide perovskites: site, charge, effective radius, mass and dipole moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from types import MappingProxyType
from typing import Any

import yaml
from pymatgen.core import Composition, Element, Species

from nestmat.errors import InputError
from nestmat.paths import RESOURCES

FILE = RESOURCES / "ions.yaml"
SHANNON = "10.1107/S0567739476001551"
COORDINATION = {"A": "XII", "B": "VI", "X": "VI"}


@dataclass(frozen=True)
class Ion:
    """One ion of the table.

    Attributes:
        symbol: Element symbol, or the abbreviation of a molecular ion.
        name: Name in words.
        site: A, B or X.
        charge: Formal charge in elementary charges.
        composition: Atoms by element symbol.
        radius: Effective radius in angstrom for the coordination of the site; None where unknown.
        radius_source: DOI of the radius.
        dipole: Dipole moment in debye; None where unknown.
        dipole_source: DOI of the dipole moment; empty where it is zero by symmetry or unknown.
        aliases: Structural spellings.
    """

    symbol: str
    name: str
    site: str
    charge: int
    composition: Mapping[str, int]
    radius: float | None
    radius_source: str = ""
    dipole: float | None = None
    dipole_source: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def molecular(self) -> bool:
        """Whether the ion has more than one atom."""
        return sum(self.composition.values()) > 1

    @cached_property
    def mass(self) -> float:
        """Mass in u."""
        return float(Composition(dict(self.composition)).weight)


def _monatomic(symbol: str, entry: dict[str, Any]) -> Ion:
    radius, source = entry.get("radius"), entry.get("radius_source", "")
    if radius is None:
        species = Species(symbol, entry["charge"])
        radius = species.get_shannon_radius(COORDINATION[entry["site"]], spin=entry.get("spin", ""))
        source = SHANNON
    return Ion(
        symbol,
        Element(symbol).long_name.lower(),
        entry["site"],
        entry["charge"],
        MappingProxyType({symbol: 1}),
        float(radius),
        source,
        dipole=0.0,
    )


@cache
def table() -> Mapping[str, Ion]:
    """All ions by symbol, from `resources/ions.yaml` and, for radii it leaves out, from Shannon's table."""
    data = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    table_of_ions = {symbol: _monatomic(symbol, entry) for symbol, entry in data["monatomic"].items()}
    for symbol, entry in data["molecular"].items():
        atoms = MappingProxyType(entry.pop("composition"))
        aliases = tuple(entry.pop("aliases"))
        table_of_ions[symbol] = Ion(symbol=symbol, composition=atoms, aliases=aliases, **entry)
    return MappingProxyType(table_of_ions)


@cache
def molecular() -> Mapping[str, Ion]:
    """The molecular ions by abbreviation."""
    return MappingProxyType({symbol: ion for symbol, ion in table().items() if ion.molecular})


def ion(symbol: str) -> Ion:
    """Look up an ion.

    Raises:
        InputError: The table has no such ion.
    """
    try:
        return table()[symbol]
    except KeyError:
        raise InputError(
            f"The ion {symbol!r} has no known site in a halide perovskite.",
            value=symbol,
            reason="has no known site in a halide perovskite.",
            remedy=f"use one of {', '.join(table())}, or add the ion to resources/ions.yaml.",
        ) from None
