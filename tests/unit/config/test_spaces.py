"""Keys of design spaces."""

from __future__ import annotations

import pytest

from nestmat.config.spaces import DesignSpace

SITES = {
    "A": {"species": ["Rb", "Cs"], "grid": 4},
    "B": {"species": ["Ge", "Sn"], "grid": 4},
    "X": {"species": ["Br", "I"], "grid": 4},
}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "is empty"),
        ({"sites": {"A": SITES["A"]}}, "The sites are not A, B and X"),
        ({"sites": SITES, "elements": SITES["A"]}, "Only one of sites and elements"),
        ({"variables": {"t": {"value": 1.0, "levels": ["a"]}}}, "Exactly one of value, between, levels"),
        ({"variables": {"t": {"value": 1.0, "grid": 3}}}, "Only a variable with `between` can have grid"),
    ],
)
def test_faulty_spaces_are_told_by_their_key(given, message):
    with pytest.raises(ValueError, match=message):
        DesignSpace.model_validate(given)
