"""From the numbers of a design space to the features of a scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from nestmat.config.features import CELL, FeatureBlock
from nestmat.errors import InputError
from nestmat.features.alloys import design_table
from nestmat.features.sites import PROPERTIES
from nestmat.materials import ions
from nestmat.materials.alloys import DESCRIPTORS, descriptors
from nestmat.materials.formulas import ELEMENTS
from nestmat.materials.monolayers import BONDS, bonds
from nestmat.search.feature_map import CRITERIA, Derived, FeatureMap
from nestmat.search.spaces.alloys import SITES


def feature_map(
    blocks: Mapping[str, FeatureBlock], columns: Mapping[str, Sequence[str]], numbers: Sequence[str]
) -> FeatureMap:
    """How the features of a scale follow from the numbers of a material.

    Args:
        blocks: Feature blocks of the scale.
        columns: Columns of each block, as the scale was trained on.
        numbers: Columns of the design space: site shares ``<site>:<ion>``, shares of elements by symbol,
            levels ``<name>=<level>`` and variables.

    Raises:
        InputError: A block cannot be computed from these numbers, or the space has an ion or a level that the
            scale was not trained on.
    """
    weights: dict[str, dict[str, float]] = {}
    derived: list[Derived] = []
    geometric = False
    for name, block in blocks.items():
        if block.site_descriptors:
            weights |= {
                column: weight
                for site in block.site_descriptors
                for column, weight in _descriptors(site, numbers).items()
            }
        elif block.perovskite:
            weights |= {criterion: {} for criterion in CRITERIA}
            geometric = True
        elif block.monolayer:
            _need(name, CELL, numbers)
            weights |= {column: {} for column in BONDS}
            derived.append(Derived(tuple(BONDS), CELL, partial(bonds, height=block.monolayer.height)))
        elif block.alloy:
            symbols = _alloyed(name, block, numbers)
            weights |= {column: {} for column in DESCRIPTORS}
            table = design_table(symbols)
            derived.append(Derived(tuple(DESCRIPTORS), symbols, partial(descriptors, table=table)))
        elif block.site or block.elements or block.one_hot or block.columns:
            weights |= _same(name, block, columns[name], numbers)
        else:
            raise InputError(
                "describes whole compositions, which a design space cannot differentiate.",
                column=f"features.{name}",
                remedy="train the scale on columns, one_hot, site, site_descriptors, perovskite, elements, "
                "alloy or monolayer blocks.",
            )
    radii = {site: _property(site, "radius", numbers) for site in SITES} if geometric else {}
    charges = {number: ions.ion(symbol).charge for number, symbol in _species("A", numbers)}
    return FeatureMap(tuple(numbers), weights, radii, charges if geometric else {}, tuple(derived))


def _species(site: str, numbers: Sequence[str]) -> list[tuple[str, str]]:
    """Numbers that are shares on a site, with the ion of each."""
    return [(name, name.partition(":")[2]) for name in numbers if name.startswith(f"{site}:")]


def _elements(numbers: Sequence[str]) -> list[str]:
    """Numbers that are shares of elements."""
    return [number for number in numbers if number in ELEMENTS]


def _alloyed(name: str, block: FeatureBlock, numbers: Sequence[str]) -> tuple[str, ...]:
    """Elements of the space that a block describes."""
    symbols = _elements(numbers)
    if not symbols:
        raise InputError(
            "describes alloys, and the design space has no elements.",
            column=f"features.{name}",
            remedy="search a space of elements.",
        )
    if isinstance(block.alloy, list):
        _known(name, symbols, block.alloy)
    return tuple(symbols)


def _known(name: str, given: Sequence[str], trained: Sequence[str]) -> None:
    if unknown := sorted(set(given) - set(trained)):
        raise InputError(
            f"has no column for {', '.join(unknown)} of the design space.",
            column=f"features.{name}",
            remedy="leave it out of the space, or train on data that holds it.",
        )


def _same(
    name: str, block: FeatureBlock, trained: Sequence[str], numbers: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Features that are numbers of the space; ions, elements and levels that it leaves out are 0."""
    prefix = f"{block.site}:" if block.site else f"{block.one_hot}=" if block.one_hot else None
    if block.elements:
        given = _elements(numbers)
    else:
        given = [number for number in numbers if prefix and number.startswith(prefix)]
    _known(name, given, trained)
    if not given:
        _need(name, trained, numbers)
    return {column: {column: 1.0} if column in numbers else {} for column in trained}


def _need(name: str, columns: Sequence[str], numbers: Sequence[str]) -> None:
    if lacking := [column for column in columns if column not in numbers]:
        raise InputError(
            f"needs {', '.join(lacking)}, which the design space lacks.",
            column=f"features.{name}",
            remedy="add it to the variables of the space.",
        )


def _descriptors(site: str, numbers: Sequence[str]) -> dict[str, dict[str, float]]:
    return {f"{site}_{entry.name}": _property(site, entry.name, numbers) for entry in PROPERTIES[site]}


def _property(site: str, name: str, numbers: Sequence[str]) -> dict[str, float]:
    """Property of the ion of each share on a site."""
    [described] = [entry for entry in PROPERTIES[site] if entry.name == name]
    found = {}
    for number, symbol in _species(site, numbers):
        value = described.of(ions.ion(symbol))
        if value is None:
            raise InputError(
                f"holds {symbol}, of which no {name.replace('_', ' ')} is known.",
                column="space",
                value=symbol,
                remedy="add it to resources/ions.yaml with its source, or leave the ion out.",
            )
        found[number] = value
    if not found:
        raise InputError(
            f"has no ions on site {site}, which the features describe.",
            column="space",
            remedy="search a space of ABX3 alloys.",
        )
    return found
