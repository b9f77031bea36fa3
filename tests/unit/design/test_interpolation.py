"""The two materials that paths join."""

from __future__ import annotations

import pytest

from nestmat.config.loading import study_from
from nestmat.design.interpolation import named_materials
from nestmat.design.spaces import design_space
from nestmat.errors import InputError
from support.phase_problem import (
    PHASE_SPACE,
    phase_configuration,
)


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
