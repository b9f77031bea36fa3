"""Search methods of a design problem from their configuration."""

from __future__ import annotations

import pytest

from nestmat.config.problems import Method
from nestmat.design.search import build_method


def test_a_method_takes_its_own_settings_and_no_others():
    method = build_method(Method.model_validate({"kind": "genetic", "population": 50}))
    assert method.population == 50
    with pytest.raises(ValueError, match=r"populations: Extra inputs"):
        Method.model_validate({"kind": "genetic", "populations": 50})
    with pytest.raises(ValueError, match=r"population: Input should be a valid integer"):
        Method.model_validate({"kind": "genetic", "population": "many"})
