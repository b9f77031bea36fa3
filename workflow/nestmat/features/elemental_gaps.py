"""Elements of which a source of elemental properties lacks some: exact ones follow, the others are a mean.

matminer gives an element the mean over all elements where its source has no value, be it the atomic number.
Number, mass, group and period of an element are known exactly, and are filled in. Rows that rest on means for
more than a third of the properties of an element are refused, and those that do for fewer are counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Element

from nestmat.features.block import Fault, Gap
from nestmat.materials.formulas import Formula

LAST_ELEMENT = Element("Lr")
"""Beyond it next to nothing is measured."""
LARGEST_SHARE = Fraction(1, 3)
"""Of the properties of an element that may be means."""
EXACT: Mapping[str, str] = {
    **dict.fromkeys(("Number", "atom_num"), "Z"),
    **dict.fromkeys(("AtomicWeight", "atom_mass", "atomic_mass"), "atomic_mass"),
    **dict.fromkeys(("Column", "col_num", "group"), "group"),
    **dict.fromkeys(("Row", "row_num", "row"), "row"),
}
"""Properties that every element has, as sources name them, and as pymatgen does."""


def beyond_the_last(formula: Formula) -> Fault | None:
    """The fault of a formula with an element beyond `LAST_ELEMENT`."""
    for element in formula.composition.elements:
        if element.Z > LAST_ELEMENT.Z:
            reason = (
                f"holds {element.symbol}, which is beyond {LAST_ELEMENT.symbol} (Z = {LAST_ELEMENT.Z}): "
                "hardly any of its properties are measured. Leave it out."
            )
            return Fault("formula", formula.text, reason)
    return None


def find_gaps(
    formulas: Sequence[Formula | None], properties: Sequence[str], invented: NDArray[np.bool_]
) -> tuple[list[Gap], dict[int, Fault]]:
    """Elements of a table that lack properties, and the faults of rows that rest on too many means.

    Args:
        formulas: One a row; a row of None is left out.
        properties: Names of the properties.
        invented: Which are means, by atomic number, 119 x properties.
    """
    faults: dict[int, Fault] = {}
    positions: dict[str, list[int]] = {}
    for position, formula in enumerate(formulas):
        if formula is None:
            continue
        fault = beyond_the_last(formula)
        incomplete = [e for e in formula.composition.elements if invented[e.Z].any()]
        for element in incomplete:
            count, total = int(invented[element.Z].sum()), len(properties)
            if count > LARGEST_SHARE * total:
                reason = (
                    f"holds {element.symbol}, of which {count} of {total} properties are not tabulated. "
                    "Leave it out, or choose another source of properties."
                )
                fault = fault or Fault("formula", formula.text, reason)
        if fault:
            faults[position] = fault
            continue
        for element in incomplete:
            positions.setdefault(element.symbol, []).append(position)
    gaps = []
    for symbol, rows in positions.items():
        names = [
            name for name, is_mean in zip(properties, invented[Element(symbol).Z], strict=True) if is_mean
        ]
        gaps.append(Gap(symbol, names, len(properties), rows))
    return gaps, faults
