"""Targets, constraints and the order of materials."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import norm

from nestmat.errors import InputError
from nestmat.search.problem import Constraint, Target, order
from support.toy_search import problem


def test_distances_of_goals():
    mean = torch.tensor([1.0, 1.3, 1.6], dtype=torch.float64)
    exact = torch.full_like(mean, torch.nan)
    assert Target("q", "value", 1.3, tolerance=0.1).distance(mean, exact).tolist() == pytest.approx([3, 0, 3])
    assert Target("q", "range", 1.2, 1.5, tolerance=0.1).distance(mean, exact).tolist() == pytest.approx(
        [2, 0, 1]
    )
    assert Target("q", "maximise").distance(mean, exact).tolist() == [-1.0, -1.3, -1.6]
    assert Target("q", "minimise", tolerance=2).distance(mean, exact).tolist() == [0.5, 0.65, 0.8]
    assert Target("q", "value", 1.3, tolerance=0.1).hit(mean.numpy()).tolist() == [False, True, False]
    assert Target("q", "range", 1.2, 1.5).hit(mean.numpy()).tolist() == [False, True, False]


def test_a_target_has_a_margin_in_standard_deviations():
    mean = torch.tensor([1.0, 1.3])
    std = torch.tensor([0.2, torch.nan])
    distances = {
        goal: Target("q", goal, 1.2, 1.5, sigmas=2.0).distance(mean, std).tolist()
        for goal in ("value", "range", "maximise", "minimise")
    }
    # A mean without a standard deviation is exact.
    assert distances["value"] == pytest.approx([0.2 + 0.4, 0.1])
    assert distances["range"] == pytest.approx([0.6, 0.0])
    assert distances["maximise"] == pytest.approx([-0.6, -1.3])
    assert distances["minimise"] == pytest.approx([1.4, 1.3])


def test_constraints_have_a_margin_in_standard_deviations():
    mean, std = torch.tensor([1.0, 1.0, torch.nan]), torch.tensor([0.2, torch.nan, 0.1])
    bound = Constraint("q", high=1.1, sigmas=1.0, tolerance=0.1)
    assert bound.violation(mean, std).tolist() == pytest.approx([1.0, 0.0, np.inf])
    assert Constraint("q", low=1.1).violation(mean, std).tolist() == pytest.approx([0.1, 0.1, np.inf])


def test_rows_that_keep_the_constraints_come_first():
    table = pd.DataFrame({"violation": [0.0, 0.2, 0.0, 0.1], "distance": [5.0, 0.0, 1.0, 0.0]})
    assert order(table).tolist() == [2, 0, 3, 1]


def test_rows_outside_the_domain_come_behind_those_with_the_same_violation():
    table = pd.DataFrame(
        {
            "violation": [0.0, 0.2, 0.0, 0.2, 0.1],
            "distance": [1.0, 3.0, 5.0, 0.0, 9.0],
            "outside": [True, False, False, True, True],
            "hit": [True, False, True, False, False],
        }
    )
    assert order(table).tolist() == [2, 0, 4, 1, 3]
    assert order(table.assign(outside=True)).tolist() == [0, 2, 4, 3, 1]
    # A material inside that misses the targets comes behind one outside that meets them.
    assert order(table.assign(hit=[True, False, False, False, False])).tolist() == [0, 2, 4, 1, 3]


def test_a_material_outside_the_domain_may_be_a_hit():
    asked = problem(outside=lambda x: x[:, 4] > 0.5, constraints=())
    x = asked.space.canonical(asked.space.sample(500, 0))
    table, free = asked.evaluate(x), problem(constraints=()).evaluate(x)
    np.testing.assert_array_equal(table["outside"], x[:, 4] > 0.5)
    pd.testing.assert_frame_equal(table.drop(columns="outside"), free)
    assert table.loc[table["outside"], "hit"].any()
    for hits in (True, False):
        rows = table.iloc[order(table)]
        outside = rows.loc[rows["hit"] == hits, "outside"]
        assert outside.is_monotonic_increasing


def test_the_front_is_inside_the_domain_where_anything_is():
    asked = problem(targets=[Target("gap", "maximise"), Target("cost", "minimise")], constraints=())
    columns = {"gap.mean": [1.0, 2.0, 3.0], "cost.mean": [1.0, 3.0, 0.0]}
    table = pd.DataFrame({**columns, "gap.std": np.nan, "cost.std": np.nan, "violation": 0.0})
    assert asked.front(table).tolist() == [False, False, True]
    assert asked.front(table.assign(outside=[False, False, True])).tolist() == [True, True, False]
    assert asked.front(table.assign(outside=True)).tolist() == [False, False, True]


def test_a_problem_that_cannot_be_is_refused():
    with pytest.raises(InputError, match="is not predicted"):
        problem(targets=[Target("colour", "maximise")])
    with pytest.raises(InputError, match="has no target"):
        problem(targets=[])
    with pytest.raises(InputError, match="has no bound"):
        Constraint("gap")
    with pytest.raises(InputError, match="is empty"):
        Target("gap", "range", 2.0, 1.0)


def test_an_open_goal_is_a_hit_from_its_threshold_on():
    gap = np.array([1.0, 2.0, 3.0])
    assert Target("gap", "maximise", enough=2.0).hit(gap).tolist() == [False, True, True]
    assert Target("gap", "minimise", enough=2.0).hit(gap).tolist() == [True, True, False]
    assert Target("gap", "maximise").hit(gap).all()
    with pytest.raises(InputError, match="there is no `enough`"):
        Target("gap", "value", 1.0, enough=2.0)


def test_a_standard_deviation_is_bounded_on_its_own():
    mean, std = torch.tensor([1.0, 1.0, 1.0]), torch.tensor([0.1, 0.3, torch.nan])
    beyond = Constraint("gap", high=0.2, tolerance=0.1, of="std").violation(mean, std)
    torch.testing.assert_close(beyond, torch.tensor([0.0, 1.0, torch.inf]))


def test_the_probability_of_a_hit_is_that_of_every_target_and_bound():
    designs = problem(constraints=[Constraint("cost", high=0.2), Constraint("gap", high=0.1, of="std")])
    table = pd.DataFrame(
        {
            "gap.mean": [1.35, 1.36, 1.35, 1.35, 1.36],
            "gap.std": [0.01, 0.01, 0.01, 0.2, np.nan],
            "cost.mean": [0.1, 0.2, 0.3, 0.1, 0.1],
            "cost.std": np.nan,
        }
    )
    # One standard deviation on either side, and from the middle to two; a bound that is broken, too uncertain
    # a gap, and one whose standard deviation is bounded but not stated.
    expected = [norm.cdf(1) - norm.cdf(-1), norm.cdf(2) - 0.5, 0.0, 0.0, 0.0]
    assert designs.hit_probability(table) == pytest.approx(expected)


def test_a_bound_of_a_target_counts_once():
    table = pd.DataFrame({"gap.mean": [1.0], "gap.std": [0.1], "cost.mean": [0.0], "cost.std": [np.nan]})
    target = Target("gap", "maximise", enough=1.0)
    for low, expected in ((0.9, 0.5), (1.0, 0.5), (1.1, 1 - norm.cdf(1))):
        designs = problem(targets=[target], constraints=[Constraint("gap", low=low)])
        assert designs.hit_probability(table) == pytest.approx(expected)
