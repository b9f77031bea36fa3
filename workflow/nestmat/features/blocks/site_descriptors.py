"""Fraction-weighted properties of the ions on the sites of ABX3 perovskites."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from nestmat.errors import InputError
from nestmat.features.block import BlockColumns, BlockKind, SpaceColumns, compute_by_formula
from nestmat.features.registry import BLOCKS

if TYPE_CHECKING:
    from nestmat.features.differentiable import SpaceNumbers
    from nestmat.features.rows import Rows
    from nestmat.materials.formulas import Formula
    from nestmat.materials.ions import Ion


class IonProperty(NamedTuple):
    """A property of ions.

    Attributes:
        name: Its name, as in ``B_mass``.
        unit: Its unit; empty for pure numbers.
        value: The value of an ion; None where it is not known.
    """

    name: str
    unit: str
    value: Callable[[Ion], float | None]


def _of_element(name: str) -> Callable[[Ion], float | None]:
    """Property of the element of an ion, of pymatgen; None for molecular ions."""

    def value(ion: Ion) -> float | None:
        from pymatgen.core import Element

        return None if ion.molecular else float(getattr(Element(ion.symbol), name))

    return value


_IONIC = [
    IonProperty("radius", "Å", lambda ion: ion.radius),
    IonProperty("mass", "u", lambda ion: ion.mass),
]
_ELEMENTAL = [
    IonProperty("electron_affinity", "eV", _of_element("electron_affinity")),
    IonProperty("ionisation_energy", "eV", _of_element("ionization_energy")),
    IonProperty("electronegativity", "", _of_element("X")),
    IonProperty("atomic_number", "", _of_element("Z")),
]
PROPERTIES: Mapping[str, list[IonProperty]] = {
    # Electron affinity, ionisation energy, electronegativity and atomic number belong to atoms: a molecular
    # cation has none of them, so the A site is described by what all of its ions have.
    "A": [*_IONIC, IonProperty("dipole", "D", lambda ion: ion.dipole)],
    "B": [*_IONIC, *_ELEMENTAL],
    "X": [*_IONIC, *_ELEMENTAL],
}


@BLOCKS.register("site_descriptors")
@dataclass(frozen=True)
class SiteDescriptors(BlockKind):
    """Fraction-weighted ionic and elemental properties of the sites.

    Attributes:
        argument: Fraction-weighted ionic and elemental properties of the sites.
    """

    argument: list[Literal["A", "B", "X"]]

    def compute(self, rows: Rows, levels: Sequence[str] | None) -> BlockColumns:
        """See `site_descriptors`."""
        return site_descriptors(rows.formulas, self.argument)

    def map_numbers(self, numbers: SpaceNumbers) -> SpaceColumns:
        """Means over the shares of the space on each site."""
        return SpaceColumns(
            {
                f"{site}_{ion_property.name}": property_weights(ion_property, site, numbers)
                for site in self.argument
                for ion_property in PROPERTIES[site]
            }
        )


def site_descriptors(formulas: Sequence[Formula | None], sites: Sequence[str]) -> BlockColumns:
    """Fraction-weighted means of ionic and elemental properties, columns ``<site>_<property>``.

    Effective ionic radius, mass and, on A, dipole moment come from `nestmat.materials.ions`; electron
    affinity, first ionisation energy, Pauling electronegativity and atomic number from pymatgen. A row with
    an ion of which a property is not known has a fault.

    Args:
        formulas: One a row; a row of None stays NaN.
        sites: Which of A, B, X.
    """
    from nestmat.materials import ions

    properties = [(site, ion_property) for site in sites for ion_property in PROPERTIES[site]]
    # Of each ion once: pymatgen looks a property up in a tenth of the time that a row takes.
    values: dict[IonProperty, dict[str, float | None]] = {ion_property: {} for _, ion_property in properties}

    def means(formula: Formula) -> list[float]:
        fractions = formula.sites()
        return [
            _mean(formula, fractions[site], ion_property, values[ion_property], ions.ion)
            for site, ion_property in properties
        ]

    columns = [f"{site}_{ion_property.name}" for site, ion_property in properties]
    return compute_by_formula(formulas, columns, [ion_property.unit for _, ion_property in properties], means)


def _mean(
    formula: Formula,
    fractions: Mapping[str, float],
    ion_property: IonProperty,
    values: dict[str, float | None],
    ion: Callable[[str], Ion],
) -> float:
    """Mean of a property over the ions of a site; ``values`` by ion are completed with those looked up."""
    total = 0.0
    for symbol, fraction in fractions.items():
        if symbol not in values:
            values[symbol] = ion_property.value(ion(symbol))
        value = values[symbol]
        if value is None:
            reason = f"holds {symbol}, of which no {ion_property.name.replace('_', ' ')} is known."
            raise InputError(
                f"The formula {formula.text!r} {reason}",
                column="formula",
                value=formula.text,
                reason=reason,
                remedy="add it to resources/ions.yaml with its source, or leave the material out.",
            )
        total += fraction * value
    return total


def property_weights(ion_property: IonProperty, site: str, numbers: SpaceNumbers) -> dict[str, float]:
    """Property of the ion of each share of a design space on a site.

    Args:
        ion_property: The property.
        site: A, B or X.
        numbers: Numbers of the space.

    Raises:
        InputError: The space has no ions on the site, or a property is not known.
    """
    from nestmat.materials import ions

    weights = {}
    for number in numbers.starting_with(f"{site}:"):
        symbol = number.partition(":")[2]
        value = ion_property.value(ions.ion(symbol))
        if value is None:
            name = ion_property.name.replace("_", " ")
            raise InputError(
                f"The design space holds {symbol}, of which no {name} is known.",
                key="space",
                value=symbol,
                remedy="add it to resources/ions.yaml with its source, or leave the ion out.",
            )
        weights[number] = value
    if not weights:
        raise InputError(
            f"The design space has no ions on site {site}, which the features describe.",
            key="space",
            remedy="search a space of ABX3 alloys.",
        )
    return weights
