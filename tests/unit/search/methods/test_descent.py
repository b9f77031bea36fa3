"""Gradient descent from many starts."""

from __future__ import annotations

import pytest

from nestmat.errors import InputError
from support.toy_search import METHODS, problem


def test_a_budget_too_small_for_a_gradient_is_refused():
    with pytest.raises(InputError, match="too small"):
        METHODS["gradient"].propose(problem(), budget=20, seed=0)
    found = METHODS["gradient"].propose(problem(), budget=160, seed=0)
    assert 0 < found.evaluations <= 160
