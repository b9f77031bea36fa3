"""Candidates that a search proposes."""

from __future__ import annotations

import numpy as np
import pytest

from nestmat.design.candidates import proposed_rows
from nestmat.search.methods.ranking import Ranking
from nestmat.search.problem import Problem, Target
from nestmat.search.spaces.product import Product
from nestmat.search.spaces.simplex import Simplex


def test_a_front_is_proposed_before_what_lies_behind_it():
    space = Product([Simplex(["a", "b"], 10), Simplex(["c", "d"], 10, site="S")])

    def predict(x):
        return {"p": (x[:, 0], x[:, 0]), "q": (x[:, 1] + x[:, 2], x[:, 0])}

    problem = Problem(space, predict, [Target("p", "minimise"), Target("q", "minimise")])
    found = Ranking(keep=200).propose(problem, 200, seed=0)
    front = proposed_rows(problem, found, 11)
    # Less of a is worth more of b one to one: all with none of c are on the front.
    assert (found.x[front][:, 2] == 0).all()
    assert sorted(found.x[front][:, 0]) == pytest.approx(np.linspace(0, 1, 11))
    thinned = found.x[proposed_rows(problem, found, 3)]
    assert sorted(thinned[:, 0]) == pytest.approx([0, 0.5, 1])
    assert len(proposed_rows(problem, found, 50)) == 50
