"""Design spaces from their configuration."""

from __future__ import annotations

import numpy as np
import pytest

from nestmat.config.loading import study_from
from nestmat.config.spaces import DesignSpace
from nestmat.design.spaces import composition_columns, design_space, named_materials
from nestmat.errors import InputError
from nestmat.search.spaces.alloys import ABX3Alloy, Alloy
from nestmat.search.spaces.box import Box
from support.alloy_search import RULES
from support.phase_problem import PHASE_SPACE, phase_configuration

SITES = {
    "A": {"species": ["Rb", "Cs"], "grid": 4},
    "B": {"species": ["Ge", "Sn"], "grid": 4},
    "X": {"species": ["Br", "I"], "grid": 4},
}


def test_a_configured_space_is_what_it_says():
    space = design_space(
        DesignSpace.model_validate(
            {"sites": SITES, "variables": {"strain": {"value": 0.01}, "t": {"levels": ["a", "b"]}}}
        )
    )
    assert isinstance(space, ABX3Alloy)
    assert space.columns == (
        *(f"{s}:{i}" for s in SITES for i in SITES[s]["species"]),
        "strain",
        "t=a",
        "t=b",
    )
    assert space.n_materials == 5 * 5 * 5 * 2
    alloy = design_space(DesignSpace.model_validate({"elements": {"species": ["Al", "Co", "Ni"], "most": 2}}))
    assert isinstance(alloy, Alloy)
    box = {name: {"between": [3.0, 4.0], "grid": 3} for name in "ab"}
    found = design_space(DesignSpace.model_validate({"variables": box, "symmetries": [{"a": "b", "b": "a"}]}))
    assert isinstance(found, Box)
    assert found.n_materials == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sites": {**SITES, "B": {"species": ["Sn", "Cs"]}}}, "differ in charge"),
        ({"sites": {**SITES, "B": {"species": ["Sn", "Qq"]}}}, "no known site"),
        ({"sites": {**SITES, "B": {"species": ["Cs"]}}}, "not neutral|a charge of"),
    ],
)
def test_spaces_that_cannot_be_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        design_space(DesignSpace.model_validate(changes))


def test_shares_of_formulas_are_those_of_the_space():
    space = design_space(DesignSpace.model_validate({"sites": SITES}))
    x = space.sample(50, seed=0)
    found = composition_columns(space.formulas(x), space)
    np.testing.assert_allclose(np.column_stack([found[name] for name in space.columns]), x, atol=1e-12)
    outside = composition_columns(["CsSn0.5Pb0.5I3"], space)
    assert outside["B:Sn"] == [0.5]
    assert outside["B:Ge"] == [0.0]


def test_the_largest_share_of_any_species_is_one_more_bound():
    given = {**RULES, "bounds": {"Al": [0.0, 0.1], "Co": [0.2, 0.9]}}
    x = design_space(DesignSpace.model_validate({"elements": given})).sample(500, seed=0)
    assert x[:, 0].max() == pytest.approx(0.1)
    assert x[:, 1].min() >= 0.2
    assert x.max() == pytest.approx(0.35)
    free = design_space(DesignSpace.model_validate({"elements": {**RULES, "greatest": 1.0}}))
    assert free.sample(3000, seed=0).max() > 0.5
    with pytest.raises(InputError, match="stay below 1"):
        design_space(DesignSpace.model_validate({"elements": {**RULES, "greatest": 0.15}}))


def test_materials_are_named_by_formulas_of_the_space():
    x = named_materials(["AlCoCr", "Mo25Nb25Ta25W25"], PHASE_SPACE)
    assert PHASE_SPACE.formulas(x) == ["Al34Co33Cr33", "Mo25Nb25Ta25W25"]
    for text, message in (
        ("Mo50Nb50", "no material of the design space"),
        ("MoNbAu", "no material of the design space"),
        ("Al97Co2Cr1", "no material of the design space"),
        ("not one", "cannot be read"),
    ):
        with pytest.raises(InputError, match=message):
            named_materials(["AlCoCr", text], PHASE_SPACE)


def test_ways_go_with_a_space_whose_other_variables_are_fixed():
    changed = phase_configuration()
    given = changed["search"]["alloys"]["space"]
    given["variables"] = {"t": {"value": 300.0}}
    assert named_materials(["AlCoCr"], design_space(study_from(changed).search["alloys"].space))[0, -1] == 300
    given["variables"] = {"t": {"between": [0.0, 1.0]}}
    with pytest.raises(InputError, match="can be interpolated"):
        study_from(changed)
