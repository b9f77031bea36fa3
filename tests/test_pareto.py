"""Fronts and their hypervolumes have known answers, and searches for a front find it."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from nestmat.errors import InputError
from nestmat.search.methods.nsga import NSGA
from nestmat.search.pareto import hypervolume, non_dominated
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


def test_rows_of_a_front_are_not_worse_than_another_in_everything():
    values = np.array([[1, 4], [2, 2], [2, 2], [4, 1], [2, 3], [4, 4], [np.nan, 0], [0, np.inf]])
    assert non_dominated(values).tolist() == [True, True, True, True, False, False, False, False]
    assert non_dominated(np.empty((0, 2))).tolist() == []
    assert non_dominated(np.array([[2.0], [1.0], [1.0]])).tolist() == [False, True, True]


@pytest.mark.parametrize("objectives", [2, 3, 4])
def test_a_front_is_that_of_all_pairs(objectives):
    values = np.random.default_rng(0).integers(0, 6, (300, objectives)).astype(float)
    no_worse = (values[:, None] <= values).all(axis=2)
    better = (values[:, None] < values).any(axis=2)
    np.testing.assert_array_equal(non_dominated(values), ~(no_worse & better).any(axis=0))


def test_a_hypervolume_is_the_volume_of_the_boxes():
    assert hypervolume(np.array([[1.0, 2.0], [2.0, 1.0]]), [3, 3]) == pytest.approx(3)
    assert hypervolume(np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]), [1, 2, 3]) == pytest.approx(6)
    assert hypervolume(np.array([[2.0], [1.0]]), [5]) == pytest.approx(4)
    beyond = np.array([[4.0, 0.0], [np.nan, 0.0], [1.0, 1.0]])
    assert hypervolume(beyond, [3, 3]) == pytest.approx(4)
    assert hypervolume(np.empty((0, 2)), [3, 3]) == 0


def test_fronts_of_many_rows_are_found():
    # An eighth of a sphere: none dominates another, and together they dominate an eighth of a ball.
    point = np.abs(np.random.default_rng(0).normal(size=(100_000, 3)))
    sphere = 1 - point / np.linalg.norm(point, axis=1, keepdims=True)
    assert non_dominated(sphere).all()
    assert hypervolume(sphere, [1, 1, 1]) == pytest.approx(np.pi / 6, abs=0.01)


def test_a_reference_must_be_a_point():
    for reference in ([1.0], [1.0, np.inf]):
        with pytest.raises(InputError, match="finite numbers"):
            hypervolume(np.ones((2, 2)), reference)
    with pytest.raises(InputError, match="not rows of objectives"):
        non_dominated(np.ones(3))


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
def test_a_search_for_a_front_repeats_itself_and_leaves_warnings_as_they_are(count):
    # Nothing keeps the constraint at first: parents are drawn by their violation.
    asked = problem(count, constraints=[Constraint("gap", low=2.9)])
    before = list(warnings.filters)
    first, again = (NSGA(keep=50, population=30).propose(asked, budget=1000, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.x, again.x)
    assert first.evaluations == 1000
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


def test_what_has_no_gradient_is_searched_without():
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
