"""Exhaustive ranking of a space."""

from __future__ import annotations

import numpy as np
import pytest

from nestmat.errors import InputError
from nestmat.search.problem import order
from support.toy_search import METHODS, problem


def test_ranking_finds_the_best_of_all():
    asked = problem()
    everything = asked.evaluate(np.concatenate(list(asked.space.enumerate(1000))))
    found = METHODS["ranking"].propose(asked, budget=10_000, seed=0)
    best = everything.iloc[order(everything)[:50]]
    np.testing.assert_array_equal(found.table["distance"], best["distance"])
    assert found.evaluations == asked.space.n_materials
    with pytest.raises(InputError, match="budget"):
        METHODS["ranking"].propose(asked, budget=100, seed=0)
