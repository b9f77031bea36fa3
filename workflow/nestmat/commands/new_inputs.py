"""Feature blocks that a first study reads: columns of the table, and what its formulas tell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, NamedTuple

from nestmat.data.formula_cells import read_formulas
from nestmat.errors import InputError
from nestmat.materials.formulas import Formula, parse
from nestmat.materials.percentages import Fractions


@dataclass(frozen=True)
class Materials:
    """What the formulas of a table have in common.

    Attributes:
        elements: Symbols of the elements that occur, sorted.
        formulas: The different formulas that can be read.
        sites: Sites with two species or more, where every formula is an ABX3 perovskite; else None.
        alloys: Whether every formula is one of elements whose solid solutions are described.
        fractions: What the numbers of the formulas are fractions of; of None they are amounts of atoms.
        warnings: What is odd about the formulas, in whole sentences.
    """

    elements: tuple[str, ...]
    formulas: tuple[Formula, ...]
    sites: tuple[str, ...] | None
    alloys: bool
    fractions: Fractions | None = None
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, texts: Sequence[str], name: str, fractions: Fractions | None = None) -> Materials:
        """Of formulas as they are written; reading the data set rejects those that cannot be parsed.

        Args:
            texts: Cells of the column of formulas.
            name: The column.
            fractions: What the numbers of formulas are fractions of; of None they are amounts of atoms.
        """
        column = read_formulas({name: texts}, name, fractions=fractions)
        usable = dict.fromkeys(text for text, key in zip(column.written, column.keys, strict=True) if key)
        parsed = [parse(text) for text in usable]
        symbols = {element.symbol for formula in parsed for element in formula.composition}
        sites = _perovskite_sites(parsed)
        are_alloys = sites is None and _are_alloys(parsed, symbols)
        return cls(
            tuple(sorted(symbols)), tuple(parsed), sites, are_alloys, fractions, tuple(column.warnings)
        )

    @property
    def columns(self) -> set[str]:
        """Names of the feature columns that columns of a table may not have."""
        if not self.alloys:
            return set(self.elements)
        from nestmat.materials.alloys import DESCRIPTORS

        return {*self.elements, *DESCRIPTORS}


def _perovskite_sites(formulas: Sequence[Formula]) -> tuple[str, ...] | None:
    species: dict[str, set[str]] = {"A": set(), "B": set(), "X": set()}
    for formula in formulas:
        try:
            sites = formula.sites()
        except InputError:
            return None
        for site, fractions in sites.items():
            species[site] |= set(fractions)
    if not all(species.values()):
        return None
    return tuple(site for site, symbols in species.items() if len(symbols) > 1)


def _are_alloys(formulas: Sequence[Formula], symbols: AbstractSet[str]) -> bool:
    # Torch and matminer take seconds to import, which tables of other materials should not pay.
    if not symbols or symbols & _NO_ALLOYS:
        return False
    from nestmat.features.blocks.alloy import alloy_descriptors

    return not alloy_descriptors(formulas).faults


_NO_ALLOYS = frozenset(["H", "He", "N", "O", "F", "Ne", "S", "Cl", "Ar", "Se", "Br", "Kr", "Te", "I", "Xe"])
"""Elements whose properties in solid solutions are not known."""


class Block(NamedTuple):
    """A feature block of the study.

    Attributes:
        name: Its name.
        config: Its kind and what stands after it.
        comment: Comment at the end of its line.
    """

    name: str
    config: dict[str, Any]
    comment: str = ""


def choose_blocks(
    numbers: Sequence[str], categories: Sequence[str], materials: Materials | None
) -> list[Block]:
    """Feature blocks of columns and of formulas.

    Args:
        numbers: Columns of numbers.
        categories: Columns of categories.
        materials: What the formulas have in common; None where there are none.
    """
    blocks = [Block("descriptors", {"columns": [*numbers]})] if numbers else []
    if materials is not None:
        blocks += _composition_blocks(materials)
    for category in categories:
        name = "is_" + re.sub(r"[^A-Za-z0-9_]", "_", category)
        while name in {block.name for block in blocks}:
            name += "_"
        blocks.append(Block(name, {"one_hot": category}, "one column a level"))
    return blocks


def _composition_blocks(materials: Materials) -> list[Block]:
    blocks = [Block("composition", {"composition": "magpie"}, "statistics of elemental properties")]
    if materials.sites is not None:
        comment = "tolerance factor, octahedral factor, tau"
        blocks.append(Block("perovskite", {"perovskite": True}, comment))
        blocks += [Block(site, {"site": site}) for site in materials.sites]
    elif len(materials.elements) > 1:
        comment = "those that occur; others are rejected"
        blocks.append(Block("fractions", {"elements": [*materials.elements]}, comment))
    if materials.alloys:
        comment = "mixing enthalpy, mismatch of radii, VEC, ..."
        blocks.append(Block("alloy", {"alloy": True}, comment))
    return blocks
