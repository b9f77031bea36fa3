"""Known alloys decoded from their own latents."""

from __future__ import annotations

import numpy as np
import pytest

from nestmat.design.candidates import candidate_table
from nestmat.errors import InputError
from nestmat.search.methods.base import SearchContext
from nestmat.search.methods.conditional_decoder import ConditionalDecoder
from nestmat.search.methods.inversion import Inversion
from support.alloy_search import ELEMENTS, single


def starting(alloy_space, known_alloys):
    return alloy_space.canonical(known_alloys[120:])


def test_an_inversion_takes_the_shortest_share(alloy_space, alloy_problem, known_alloys):
    given = starting(alloy_space, known_alloys)
    ways = (0.1, 0.3, 0.6, 1.0)
    search = Inversion(starts=60, shares=ways, steps=1, accept=0.6).bind(
        SearchContext(known_materials=lambda: given)
    )
    found = search.propose(alloy_problem, 5000, seed=0)
    assert 0 < found.details["reached"] == len(found.x) <= found.details["started"] <= 60
    assert (single(alloy_problem, found.x) >= 0.6).all()
    assert found.details["steps"] == 1
    # The same by hand: of the materials that miss it, the first share of the way that is enough.
    decoder = ConditionalDecoder(alloy_problem)
    begin = np.random.default_rng([0, 2]).permutation(given)
    begin = begin[single(alloy_problem, begin) < 0.6][:60]
    a, b = decoder.fractions(begin), decoder.decode(decoder.encode(begin))
    tried = [decoder.replace_composition(begin, a + way * (b - a)) for way in ways]
    enough = np.stack([single(alloy_problem, x) >= 0.6 for x in tried])
    first = enough.argmax(axis=0)
    straight = {tuple(tried[k][row].round(6)) for row, k in enumerate(first) if enough[:, row].any()}
    moved = decoder.composition.distance(
        decoder.fractions(begin), np.stack(tried)[first, np.arange(len(begin))]
    )
    assert found.details["reached"] == enough.any(axis=0).sum()
    assert found.details["moved"] <= moved[enough.any(axis=0)].mean() + 1e-9
    assert np.mean([tuple(x.round(6)) in straight for x in found.x]) > 0.6


def test_an_inversion_moves_no_more_than_it_may(alloy_space, alloy_problem, known_alloys):
    given = starting(alloy_space, known_alloys)
    free, bound = (
        Inversion(starts=60, accept=0.6, within=within)
        .bind(SearchContext(known_materials=lambda: given))
        .propose(alloy_problem, 9000, seed=0)
        for within in (None, 0.15)
    )
    assert 0 < bound.details["reached"] < free.details["reached"]
    assert bound.details["started"] == free.details["started"]
    assert bound.details["moved"] <= 0.15
    starts = given[single(alloy_problem, given) < 0.6]
    near = [alloy_space.distance(starts, x).min() for x in bound.x]
    assert max(near) <= 0.15 + 1e-9


def test_a_published_inversion_takes_the_whole_path(alloy_space, alloy_problem, known_alloys):
    given = starting(alloy_space, known_alloys)
    whole, short = (
        Inversion(starts=40, shares=shares)
        .bind(SearchContext(known_materials=lambda: given))
        .propose(alloy_problem, 9000, seed=0)
        for shares in ((1.0,), Inversion().shares)
    )
    assert whole.details["reached"] > 0
    assert whole.details["moved"] > short.details["moved"]
    assert whole.evaluations < short.evaluations


def test_a_budget_is_kept(alloy_space, alloy_problem, known_alloys):
    given = starting(alloy_space, known_alloys)
    for budget in (250, 600, 2000):
        found = (
            Inversion()
            .bind(SearchContext(known_materials=lambda: given))
            .propose(alloy_problem, budget, seed=0)
        )
        assert found.evaluations <= budget
        assert found.details["started"] >= 1


def test_nothing_reached_is_nothing_proposed(alloy_space, alloy_problem, known_alloys):
    search = Inversion(accept=1.1, shares=(0.5,)).bind(
        SearchContext(known_materials=lambda: starting(alloy_space, known_alloys))
    )
    found = search.propose(alloy_problem, 2000, seed=0)
    assert found.details["reached"] == 0
    assert "moved" not in found.details
    assert found.x.shape == (0, len(alloy_space.columns))
    frame = candidate_table(alloy_problem, found.x, alloy_problem.evaluate(found.x))
    assert len(frame) == len(found.table) == 0
    assert {"formula", *ELEMENTS, "phase.single.mean", "hit"} <= set(frame)


@pytest.mark.parametrize("shares", [(), (0.0, 1.0), (0.5, 0.2), (0.5, 1.2)])
def test_shares_of_an_inversion_ascend(shares):
    with pytest.raises(InputError, match="in ascending order"):
        Inversion(shares=shares)
