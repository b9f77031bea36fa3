"""What a search has to keep to."""

from __future__ import annotations

import pytest

from nestmat.design.search import check_proposal
from nestmat.errors import InputError
from nestmat.search.candidates import Candidates
from support.toy_search import METHODS, problem


@pytest.mark.parametrize("name", ["random", "genetic"])
def test_a_search_keeps_to_its_budget_and_its_space(name):
    toy = problem()
    proposed = METHODS[name].propose(toy, 500, seed=0)
    check_proposal(proposed, toy, 500, name)
    with pytest.raises(InputError, match=f"{name!r} predicted {proposed.evaluations} materials"):
        check_proposal(proposed, toy, proposed.evaluations - 1, name)
    moved = proposed.x.copy()
    moved[3] += 0.01
    outside = Candidates(moved, proposed.table, proposed.evaluations)
    with pytest.raises(InputError, match="proposed 1 of"):
        check_proposal(outside, toy, 500, name)
