"""Search methods of a design problem from their configuration."""

from __future__ import annotations

import numpy as np
import pytest

from nestmat.config.kinds import UNCHECKED
from nestmat.config.problems import Method
from nestmat.design.methods import build_method
from nestmat.errors import InputError


def test_a_method_takes_its_own_settings_and_no_others():
    method = build_method(Method.model_validate({"kind": "genetic", "population": 50}))
    assert method.population == 50
    with pytest.raises(ValueError, match=r"populations: Extra inputs"):
        Method.model_validate({"kind": "genetic", "populations": 50})
    with pytest.raises(ValueError, match=r"population: Input should be a valid integer"):
        Method.model_validate({"kind": "genetic", "population": "many"})


def test_known_materials_are_read_only_for_an_inversion():
    given = Method.model_validate({"kind": "inversion", "shares": [1.0], "within": 0.2})
    known_alloys = np.ones((2, 3))
    found = build_method(given, known_materials=lambda: known_alloys)
    assert (found.settings.shares, found.settings.within) == ((1.0,), 0.2)
    assert found.known_materials is known_alloys
    assert build_method(given).known_materials.size == 0

    def none():
        raise AssertionError("is not asked")

    decode = Method.model_validate({"kind": "decode", "near": 0.1})
    assert build_method(decode, known_materials=none).near == 0.1
    unchecked = Method.model_validate({"kind": "decode", "steps": 3}, context=UNCHECKED)
    with pytest.raises(InputError, match="its options are samples, near, accept"):
        build_method(unchecked)
