from __future__ import annotations

import pytest
from pymatgen.core import Composition

from nestmat.errors import InputError
from nestmat.materials.formulas import from_species, parse
from nestmat.materials.percentages import with_unit


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("Ti-6Al-4V wt%", {"Ti": 90, "Al": 6, "V": 4}),
        ("Fe-18Cr-8Ni wt.%", {"Fe": 74, "Cr": 18, "Ni": 8}),
        ("Fe-Cr18-Ni8 (wt%)", {"Fe": 74, "Cr": 18, "Ni": 8}),
        ("Al – 4.4Cu – 0.6 Mn mass%", {"Al": 95, "Cu": 4.4, "Mn": 0.6}),
        ("Al90Cu10 wt %", {"Al": 90, "Cu": 10}),
        ("Al0.9Cu0.1 wt%", {"Al": 90, "Cu": 10}),
        ("Fe70Cr18Ni12WT%", {"Fe": 70, "Cr": 18, "Ni": 12}),
    ],
)
def test_weights(text: str, weights: dict[str, float]) -> None:
    formula = parse(text)
    assert sum(formula.species.values()) == pytest.approx(1)
    for symbol, weight in weights.items():
        assert 100 * formula.composition.get_wt_fraction(symbol) == pytest.approx(weight)
    assert parse(from_species(formula.species).text).key == formula.key


@pytest.mark.parametrize(
    ("text", "atoms"),
    [
        ("Ti-48Al-2Cr-2Nb at%", "Ti48Al48Cr2Nb2"),
        ("Fe70Cr18Ni12 at.%", "Fe70Cr18Ni12"),
        ("AlCoCrFeNi at%", "AlCoCrFeNi"),
    ],
)
def test_atoms(text: str, atoms: str) -> None:
    assert parse(text).composition == Composition(atoms)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Al90Cu20 wt%", "sum to 110"),
        ("Al90Cu20 at%", "sum to 110"),
        ("Ti-60Al-50V wt%", "sum to 110"),
        ("Ti-60Al-40V at%", "nothing for Ti"),
        ("Ti6Al4V wt%", "sum to 11"),
        ("Ti-6Al-4Al wt%", "Al twice"),
        ("Ti-6Ql wt%", "Ql"),
        ("MA50Pb50 wt%", "ion MA"),
        ("(Al0.5Cu0.5)90Ni10 wt%", "brackets"),
        ("wt%", "empty"),
    ],
)
def test_what_are_no_percentages(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        parse(text)


def test_a_unit_in_the_cell_goes_before_that_of_the_column() -> None:
    assert parse(with_unit("Al96Cu4 at%", "weight")).composition == Composition("Al96Cu4")
    assert with_unit("Al96Cu4", None) == "Al96Cu4"
