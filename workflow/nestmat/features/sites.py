"""Features of the sites of ABX3 perovskites: fractions, fraction-weighted properties, geometric criteria."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from pymatgen.core import Element

from nestmat.errors import InputError
from nestmat.features.block import Block, by_formula
from nestmat.materials import ions, perovskites
from nestmat.materials.formulas import Formula
from nestmat.materials.ions import Ion


class _Property(NamedTuple):
    name: str
    unit: str
    of: Callable[[Ion], float | None]


def _elemental(name: str) -> Callable[[Ion], float | None]:
    def of(ion: Ion) -> float | None:
        return None if ion.molecular else float(getattr(Element(ion.symbol), name))

    return of


_IONIC = [
    _Property("radius", "Å", lambda ion: ion.radius),
    _Property("mass", "u", lambda ion: ion.mass),
]
_ELEMENTAL = [
    _Property("electron_affinity", "eV", _elemental("electron_affinity")),
    _Property("ionisation_energy", "eV", _elemental("ionization_energy")),
    _Property("electronegativity", "", _elemental("X")),
    _Property("atomic_number", "", _elemental("Z")),
]
PROPERTIES: Mapping[str, list[_Property]] = {
    # Electron affinity, ionisation energy, electronegativity and atomic number belong to atoms: a molecular
    # cation has none of them, so the A site is described by what all of its ions have.
    "A": [*_IONIC, _Property("dipole", "D", lambda ion: ion.dipole)],
    "B": [*_IONIC, *_ELEMENTAL],
    "X": [*_IONIC, *_ELEMENTAL],
}


def site_fractions(
    formulas: Sequence[Formula | None], site: str, species: Sequence[str] | None = None
) -> Block:
    """Fractions of the ions on one site, columns ``<site>:<ion>``, each row with the sum 1.

    Args:
        formulas: One a row; a row of None stays NaN.
        site: A, B or X.
        species: Ions that get a column, in this order; those that occur, sorted, by default. A row with
            another ion has a fault.
    """
    known = _occurring(formulas, site) if species is None else list(species)

    def fractions(formula: Formula) -> list[float]:
        found = formula.sites()[site]
        if unknown := sorted(set(found) - set(known)):
            raise InputError(
                f"holds {', '.join(unknown)} on site {site}, where the training data has only "
                f"{', '.join(known)}.",
                remedy="leave it out, or train on data that holds it.",
            )
        return [found.get(symbol, 0.0) for symbol in known]

    columns = [f"{site}:{symbol}" for symbol in known]
    block = by_formula(formulas, columns, [""] * len(columns), fractions)
    return Block(block.columns, block.values, block.units, block.faults, levels=known)


def _occurring(formulas: Sequence[Formula | None], site: str) -> list[str]:
    found: set[str] = set()
    for formula in {formula.text: formula for formula in formulas if formula is not None}.values():
        # One that is not ABX3 adds no ion; its rows get their fault when the fractions are computed.
        with suppress(InputError):
            found |= set(formula.sites()[site])
    return sorted(found)


def _mean(formula: Formula, fractions: Mapping[str, float], described: _Property) -> float:
    total = 0.0
    for symbol, fraction in fractions.items():
        value = described.of(ions.ion(symbol))
        if value is None:
            raise InputError(
                f"holds {symbol}, of which no {described.name.replace('_', ' ')} is known.",
                column="formula",
                value=formula.text,
                remedy="add it to resources/ions.yaml with its source, or leave the material out.",
            )
        total += fraction * value
    return total


def site_descriptors(formulas: Sequence[Formula | None], sites: Sequence[str]) -> Block:
    """Fraction-weighted means of ionic and elemental properties, columns ``<site>_<property>``.

    Effective ionic radius, mass and, on A, dipole moment come from `nestmat.materials.ions`; electron
    affinity, first ionisation energy, Pauling electronegativity and atomic number from pymatgen. A row with
    an ion of which a property is not known has a fault.

    Args:
        formulas: One a row; a row of None stays NaN.
        sites: Which of A, B, X.
    """
    described = [(site, entry) for site in sites for entry in PROPERTIES[site]]

    def means(formula: Formula) -> list[float]:
        found = formula.sites()
        return [_mean(formula, found[site], entry) for site, entry in described]

    columns = [f"{site}_{entry.name}" for site, entry in described]
    return by_formula(formulas, columns, [entry.unit for _, entry in described], means)


def perovskite_criteria(formulas: Sequence[Formula | None]) -> Block:
    """Tolerance factor, octahedral factor and tau, from fraction-weighted radii and charges.

    tau is NaN where the A ion is not larger than the B ion.
    """

    def criteria(formula: Formula) -> list[float]:
        means = perovskites.site_means(formula)
        a, b, x = (means.radius[site] for site in "ABX")
        return [
            float(perovskites.tolerance_factor(a, b, x)),
            float(perovskites.octahedral_factor(b, x)),
            float(perovskites.tau(a, b, x, means.charge["A"])),
        ]

    return by_formula(formulas, ["tolerance_factor", "octahedral_factor", "tau"], [""] * 3, criteria)
