"""Spaces of alloys from their configuration."""

from __future__ import annotations

import pytest

from nestmat.config.spaces import DesignSpace
from nestmat.design.spaces import design_space
from nestmat.errors import InputError
from support.alloy_search import RULES


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
