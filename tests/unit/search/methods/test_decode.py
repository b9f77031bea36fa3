"""Decoded draws of the prior."""

from __future__ import annotations

import pytest

from nestmat.search.methods.conditional_decoder import ROUNDED, ConditionalDecoder
from nestmat.search.methods.decode import Decode
from support.alloy_search import single


def test_draws_are_counted_from_the_first_to_the_kept(alloy_problem):
    every = Decode(samples=500).propose(alloy_problem, 500, seed=0)
    assert every.evaluations == 500
    assert every.details["sampled"] == every.details["kept"] == len(every.x) == 500
    decoder = ConditionalDecoder(alloy_problem)
    decoded = decoder.decode(decoder.sample_prior(500, [0, 0]))
    changed = decoder.composition.distance(
        decoded, decoder.fractions(decoder.replace_composition(alloy_problem.space.sample(500, 0), decoded))
    )
    assert every.details["inside"] == (changed <= ROUNDED).sum()
    assert every.details["changed"] == pytest.approx(changed.mean())
    near = Decode(samples=500, near=0.1).propose(alloy_problem, 500, seed=0)
    assert near.details["kept"] == len(near.x) == (changed <= 0.1).sum()
    assert near.details["inside"] == every.details["inside"]
    sure = Decode(samples=500, near=0.1, accept=0.7).propose(alloy_problem, 1000, seed=0)
    assert sure.details["kept"] == len(sure.x) == (single(alloy_problem, near.x) >= 0.7).sum() > 0
    assert sure.evaluations == len(near.x)
