"""Non-dominated sorting on the grid of a space."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from nestmat.search.methods.nsga import NSGA
from nestmat.search.pareto import hypervolume
from nestmat.search.problem import Constraint, Problem, Target, order
from nestmat.search.spaces.factors import Interval
from nestmat.search.spaces.product import Product
from nestmat.search.spaces.simplex import Simplex

TARGETS = [Target("gap", "maximise"), Target("cost", "minimise"), Target("size", "value", 0.4, tolerance=0.5)]


def quantities(x):
    gap = x[:, :4] @ torch.tensor([0.2, 1.0, 1.9, 3.0], dtype=x.dtype) - 0.3 * x[:, 4]
    cost = x[:, :4].square().sum(dim=1) + x[:, 3] + x[:, 4]
    size = (x[:, 1] - x[:, 4]).abs()
    zero = torch.zeros_like(gap)
    return {"gap": (gap, zero), "cost": (cost, zero), "size": (size, zero)}


def problem(count, **changes):
    space = Product([Simplex(["a", "b", "c", "d"], 12, most=3), Interval("t", 0.0, 1.0, 11)])
    given = {
        "space": space,
        "predict": quantities,
        "targets": TARGETS[:count],
        "constraints": [Constraint("gap", high=2.2)],
    }
    return Problem(**(given | changes))


def everything(asked):
    return np.concatenate(list(asked.space.enumerate(10_000)))


@pytest.mark.parametrize("count", [2, 3])
def test_the_front_is_found_and_proposed_whole(count):
    asked = problem(count)
    known = asked.evaluate(everything(asked))
    best = asked.distances(known)[asked.front(known)]
    found = NSGA(keep=5, population=60).propose(asked, budget=1500, seed=0)
    assert found.evaluations <= 1500 < len(known) / 2
    np.testing.assert_array_equal(order(found.table), np.arange(len(found.x)))
    front = asked.front(found.table)
    assert front.sum() == found.details["front"] == len(found.x), "all of a front larger than what is kept"
    reference = found.details["reference"]
    values = asked.distances(found.table)[front]
    assert found.details["hypervolume"] == hypervolume(values, reference)
    assert found.details["hypervolume"] > 0.98 * hypervolume(best, reference)
    assert found.details["from_gradients"] > 0
    assert (found.table["violation"] == 0).all()


@pytest.mark.parametrize("count", [2, 3])
def test_a_search_for_a_front_repeats_and_keeps_warnings(count):
    # Nothing keeps the constraint at first: parents are drawn by their violation.
    asked = problem(count, constraints=[Constraint("gap", low=2.9)])
    before = list(warnings.filters)
    first, again = (NSGA(keep=50, population=30).propose(asked, budget=600, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.x, again.x)
    assert first.evaluations == 600
    assert first.table["violation"].iloc[0] == 0
    assert warnings.filters == before


def test_a_search_ends_when_no_material_is_new():
    space = Product([Interval("t", 0.0, 1.0, 5), Interval("u", 0.0, 1.0, 4)])
    asked = problem(
        2,
        space=space,
        predict=lambda x: {name: (x[:, k], 0 * x[:, k]) for k, name in enumerate(("gap", "cost"))},
        constraints=(),
    )
    found = NSGA(keep=50, population=40).propose(asked, budget=5000, seed=0)
    assert len(found.x) == 20
    assert found.details["front"] == 1
    assert found.evaluations < 5000


def test_a_predictor_without_gradient_is_searched_without():
    def steps(x):
        return {name: (mean.detach().round(decimals=1), std) for name, (mean, std) in quantities(x).items()}

    found = NSGA(keep=50, population=60).propose(problem(3, predict=steps), budget=1500, seed=0)
    assert found.details["from_gradients"] == 0
    assert found.evaluations == 1500


def test_what_is_not_defined_is_not_on_the_front():
    def holes(x):
        found = quantities(x)
        mean, std = found["cost"]
        return found | {"cost": (torch.where(x[:, 4] < 0.5, mean, torch.nan), std)}

    asked = problem(3, predict=holes)
    found = NSGA(keep=50, population=60).propose(asked, budget=1500, seed=0)
    front = asked.front(found.table)
    assert front.any()
    assert (found.x[front, 4] < 0.5).all()


@pytest.mark.parametrize("share", [0.3, -0.1])
def test_a_front_is_searched_inside_the_domain_or_among_all_that_are_outside(share):
    asked = problem(2, constraints=(), outside=lambda x: x[:, 4] > share)
    best = asked.evaluate(everything(asked))
    known = asked.distances(best)[asked.front(best)]
    found = NSGA(keep=5, population=60).propose(asked, budget=1500, seed=0)
    front = asked.front(found.table)
    assert front.any()
    assert found.table.loc[front, "outside"].eq(share < 0).all()
    reference, values = found.details["reference"], asked.distances(found.table)[front]
    assert (
        found.details["hypervolume"] == hypervolume(values, reference) > 0.95 * hypervolume(known, reference)
    )
