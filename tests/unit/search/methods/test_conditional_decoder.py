"""Alloys decoded with the targets set to their goals."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest

from nestmat.config.spaces import DesignSpace
from nestmat.design.spaces import design_space
from nestmat.errors import InputError
from nestmat.features.differentiable import feature_map
from nestmat.search.methods.base import SearchContext
from nestmat.search.methods.conditional_decoder import ConditionalDecoder, target_value
from nestmat.search.methods.decode import Decode
from nestmat.search.methods.inversion import Inversion
from nestmat.search.methods.scan import Scan
from nestmat.search.problem import Constraint, Problem, Target, order
from nestmat.search.spaces.alloys import Alloy
from nestmat.search.spaces.factors import Interval
from nestmat.search.spaces.simplex import Simplex
from nestmat.search.surrogate import Surrogate
from support.alloy_search import ALLOY_BLOCKS, ELEMENTS, RULES, WANTED, single

METHODS = [
    Decode(samples=200),
    Decode(samples=300, near=0.1, accept=0.6),
    Scan(points=4),
    Inversion(starts=40).bind(SearchContext()),
]


@pytest.mark.parametrize("search", METHODS, ids=["decode", "filtered", "scan", "inversion"])
def test_proposed_alloys_keep_the_rules_and_follow_the_seed(search, alloy_space, alloy_problem):
    found, again, other = (search.propose(alloy_problem, 3000, seed) for seed in (0, 0, 1))
    assert len(found.x) > 0
    np.testing.assert_array_equal(found.x, again.x)
    assert found.details == again.details
    assert found.x.shape != other.x.shape or (found.x != other.x).any()
    np.testing.assert_array_equal(alloy_space.canonical(found.x), found.x)
    steps = 100 * found.x
    np.testing.assert_allclose(steps, steps.round(), atol=1e-9)
    assert (steps.round().sum(axis=1) == 100).all()
    present = found.x > 0
    assert set(present.sum(axis=1)) <= {3, 4, 5, 6}
    assert found.x[present].min() >= 0.05 - 1e-12
    assert found.x.max() <= 0.35 + 1e-12
    np.testing.assert_array_equal(order(found.table), np.arange(len(found.x)))
    assert found.evaluations <= 3000
    assert json.loads(json.dumps(found.details)) == found.details


def test_a_decoder_is_conditioned_on_the_goals(alloy_problem):
    assert [
        target_value(target)
        for target in (
            WANTED,
            Target("q", "minimise"),
            Target("q", "value", 1.5),
            Target("q", "range", 1.0, 4.0),
        )
    ] == [1.0, 0.0, 1.5, 2.5]
    decoder = ConditionalDecoder(alloy_problem, member=5)
    assert (decoder.n_members, decoder.member, decoder.n_latents) == (2, 1, 4)
    assert decoder.condition == {"single": 1.0}
    z = decoder.sample_prior(2000, [3])
    assert z.shape == (2000, 4)
    assert z.std() == pytest.approx(1.0, abs=0.03)
    shares = decoder.decode(z)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    # The classifier of the model takes what was decoded as single-phase for such, and the other way round.
    other = ConditionalDecoder(
        dataclasses.replace(alloy_problem, targets=[Target("phase.single", "minimise")])
    )
    template = alloy_problem.space.sample(2000, 0)
    one, none = (
        single(alloy_problem, d.replace_composition(template, d.decode(z))).mean() for d in (decoder, other)
    )
    assert one > none + 0.2


def test_known_alloys_come_back_from_their_latents(alloy_space, alloy_problem, known_alloys):
    allowed = known_alloys[(np.abs(alloy_space.canonical(known_alloys) - known_alloys) < 1e-9).all(axis=1)]
    likely = single(alloy_problem, allowed) > 0.5
    decoder = ConditionalDecoder(alloy_problem)
    x = allowed[likely]
    decoded = decoder.decode(decoder.encode(x))
    rolled = np.roll(x, 1, axis=0)
    assert (
        decoder.composition.distance(decoded, x).mean()
        < 0.6 * decoder.composition.distance(decoded, rolled).mean()
    )


def test_the_most_probable_elements_complete_an_alloy(alloy_problem):
    decoder = ConditionalDecoder(alloy_problem)
    z = decoder.sample_prior(400, [0])
    decoded = decoder.decode(z)
    there = decoded > 1e-3
    few = there.sum(axis=1) < 3
    assert few.any()
    assert (decoded.argsort(axis=1)[few, :4] != np.arange(4)).any(), "absent elements are ordered"
    made = decoder.fractions(decoder.replace_composition(alloy_problem.space.sample(400, 0), decoded))
    for row in np.flatnonzero(few):
        count = int((made[row] > 0).sum())
        assert set(np.flatnonzero(made[row])) == set(np.argsort(-decoded[row])[:count])


def test_other_variables_of_a_space_stay_beside_the_alloy(alloy_surrogates, alloy_problem):
    hot = Alloy(
        design_space(DesignSpace.model_validate({"elements": RULES})).elements, [Interval("t", 0, 9, 10)]
    )
    maps = {"phase": feature_map(ALLOY_BLOCKS, columns_of(alloy_surrogates), hot.columns)}
    wide = Problem(hot, Surrogate(alloy_surrogates["conditional"].chain, maps), [WANTED])
    found = Decode(samples=50).propose(wide, 100, seed=0)
    np.testing.assert_array_equal(hot.canonical(found.x), found.x)
    assert len(set(found.x[:, -1])) > 3


def columns_of(alloy_surrogates):
    every = alloy_surrogates["conditional"].chain.columns["phase"]
    return {"shares": every[: len(ELEMENTS)], "solution": every[len(ELEMENTS) :]}


@pytest.mark.parametrize("search", METHODS, ids=["decode", "filtered", "scan", "inversion"])
def test_a_decoder_needs_a_semi_supervised_model_of_the_elements(
    search, alloy_space, alloy_surrogates, alloy_problem
):
    def free(x):
        return {"phase.single": (x[:, 0], x[:, 0])}

    with pytest.raises(InputError, match="needs a trained chain"):
        search.propose(dataclasses.replace(alloy_problem, predict=free), 3000, seed=0)
    with pytest.raises(InputError, match="does not decode the composition of the space"):
        search.propose(dataclasses.replace(alloy_problem, predict=alloy_surrogates["plain"]), 3000, seed=0)
    strange = Alloy(Simplex([*ELEMENTS[:-1], "Au"], 100, fewest=3, most=6, least=0.05))
    with pytest.raises(InputError, match="does not decode the composition of the space"):
        search.propose(dataclasses.replace(alloy_problem, space=strange), 3000, seed=0)


@pytest.mark.parametrize(
    ("search", "budget", "message"),
    [
        (Decode(samples=200), 199, "too small for 200 samples"),
        (Scan(points=5), 24, "too small for 25 points"),
        (Scan(axes=(0, 4)), 100, r"are not two latents.*0 to 3"),
        (Scan(axes=(1, 1)), 100, "are not two latents"),
        (Scan(axes=(-1, 1)), 100, "are not two latents"),
        (Inversion().bind(SearchContext()), 100, "too small for 10 steps"),
    ],
)
def test_what_cannot_be_searched_is_refused(search, budget, message, alloy_problem):
    with pytest.raises(InputError, match=re.compile(message, re.DOTALL)):
        search.propose(alloy_problem, budget, seed=0)


@pytest.mark.parametrize(
    "target", [Target("phase.single", "value", 1.0), Target("phase.single", "range", 0, 1)]
)
def test_accept_needs_a_target_that_is_maximised_or_minimised(target, alloy_problem):
    aimed = dataclasses.replace(alloy_problem, targets=[target])
    for search in (Decode(samples=50, accept=0.5), Inversion().bind(SearchContext())):
        with pytest.raises(InputError, match="that is maximised or minimised"):
            search.propose(aimed, 3000, seed=0)
    assert len(Decode(samples=50).propose(aimed, 50, seed=0).x) == 50


def test_constraints_hold_of_what_is_accepted(alloy_problem):
    held = dataclasses.replace(alloy_problem, constraints=[Constraint("phase.single", high=0.9)])
    found = Decode(samples=400, accept=0.6).propose(held, 1000, seed=0)
    assert (found.table["violation"] == 0).all()
    assert found.table["phase.single.mean"].between(0.6, 0.9).all()
    assert 0 < len(found.x) < len(Decode(samples=400, accept=0.6).propose(alloy_problem, 1000, seed=0).x)
