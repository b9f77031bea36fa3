"""Compounds of ten atoms."""

from __future__ import annotations

from nestmat.config.spaces import DesignSpace
from nestmat.design.compounds import approximants
from nestmat.design.spaces import design_space
from nestmat.search.spaces.alloys import ABX3Alloy

SITES = {
    "A": {"species": ["Rb", "Cs"], "grid": 4},
    "B": {"species": ["Ge", "Sn"], "grid": 4},
    "X": {"species": ["Br", "I"], "grid": 4},
}


def test_approximants_have_one_species_on_a_site_or_two_halves():
    space = design_space(DesignSpace.model_validate({"sites": SITES}))
    assert isinstance(space, ABX3Alloy)
    found = list(approximants(space))
    assert len(found) == 3**3
    assert {share for entry in found for share in entry.values()} == {0.5, 1.0}
    for entry in found:
        for site in SITES:
            assert sum(share for column, share in entry.items() if column.startswith(f"{site}:")) == 1
