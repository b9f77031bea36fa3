"""Fractions of species: rules, grids, numbering, gradients."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nestmat.errors import InputError
from nestmat.search.spaces import simplex
from nestmat.search.spaces.simplex import Simplex
from support.perovskite_spaces import free


def test_free_vectors_reach_every_choice_of_species():
    space = Simplex(["Ge", "Sn", "Pb", "Ca"], 8, most=3, least=0.125)
    present = space.from_free(free(space, 5000)).numpy() > 0
    assert len(np.unique(present, axis=0)) == sum(math.comb(4, k) for k in (1, 2, 3))


def test_snapping_goes_to_the_nearest_point_where_nothing_binds():
    space = Simplex(["a", "b", "c"], 4)
    x = np.random.default_rng(1).dirichlet([1, 1, 1], 500)
    grid = space.from_index(np.arange(space.n_grid_points))
    nearest = space.distance(x[:, None], grid).min(axis=1)
    np.testing.assert_allclose(space.distance(x, space.snap(x)), nearest, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 5),
    grid=st.integers(1, 9),
    most=st.integers(1, 5),
    fewest=st.integers(1, 5),
    least=st.sampled_from([0.0, 0.1, 0.25]),
    low=st.sampled_from([0.0, 0.2]),
    high=st.sampled_from([0.5, 1.0]),
)
def test_points_are_all_that_meet_the_constraints(n, grid, most, fewest, least, low, high):
    names = list("abcde"[:n])
    try:
        space = Simplex(names, grid, fewest=fewest, most=most, least=least, bounds={"a": (low, high)})
    except InputError:
        return
    expected = []
    for steps in itertools.product(range(grid + 1), repeat=n):
        shares = np.array(steps) / grid
        present = shares > 0
        if (
            sum(steps) == grid
            and fewest <= present.sum() <= most
            and (shares[present] >= least - 1e-9).all()
            and low - 1e-9 <= shares[0] <= high + 1e-9
        ):
            expected.append(steps)
    points = space.from_index(np.arange(space.n_grid_points))
    assert sorted(map(tuple, np.rint(points * grid).astype(int).tolist())) == expected
    np.testing.assert_array_equal(space.snap(points), points)
    anything = space.snap(np.random.default_rng(0).dirichlet(np.ones(n), 50))
    assert {tuple(row) for row in np.rint(anything * grid).astype(int).tolist()} <= set(expected)


def test_a_large_simplex_is_numbered_without_a_table():
    space = Simplex([f"e{k}" for k in range(30)], 20, fewest=3, most=6, least=0.05, bounds={})
    counted = sum(math.comb(30, k) * math.comb(19, k - 1) for k in range(3, 7))
    assert space.n_grid_points == counted
    index = np.array([0, 1, counted // 2, counted - 1])
    points = space.from_index(index)
    np.testing.assert_allclose(points.sum(axis=1), 1, atol=1e-12)
    assert len(np.unique(points, axis=0)) == len(index)


def test_samples_are_uniform_over_the_grid():
    space = Simplex(["a", "b", "c"], 4, most=2)
    drawn = space.sample(24_000, np.random.default_rng(0))
    _, counts = np.unique(drawn, axis=0, return_counts=True)
    assert len(counts) == space.n_grid_points == 12
    assert abs(counts - 2000).max() < 5 * math.sqrt(2000)


def test_gradients_agree_with_differences():
    space = Simplex(["a", "b", "c", "d"], 10, most=3, least=0.1, bounds={"a": (0.0, 0.45)})
    u = torch.tensor(
        [[0.3, 0.1, -0.4, -5.0], [3.0, 0.1, -0.2, -4.0], [-1.0, 2.0, 1.5, 0.2]],
        dtype=torch.float64,
        requires_grad=True,
    )
    assert torch.autograd.gradcheck(space.from_free, (u,))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"species": []}, "empty"),
        ({"species": ["a", "a"]}, "repetitions"),
        ({"grid": 0}, "whole number"),
        ({"most": 4}, "cannot be present"),
        ({"fewest": 3, "most": 2}, "cannot be present"),
        ({"least": 1.5}, "not between 0 and 1"),
        ({"least": 0.4, "most": 3}, "exceed 1"),
        ({"bounds": {"z": (0, 1)}}, "no species 'z'"),
        ({"bounds": {"a": (0.5, 0.4)}}, "no range of fractions"),
        ({"bounds": {"a": (0, 0.3), "b": (0, 0.3)}, "most": 2}, "stay below 1"),
        ({"bounds": {"a": (0.3, 0.32)}}, "No fraction of a"),
        ({"bounds": {"a": (0.1, 1), "b": (0.1, 1)}, "most": 1}, "require more than 1"),
    ],
)
def test_a_simplex_that_cannot_be_is_refused(options, message):
    given = {"species": ["a", "b", "c"], "grid": 4} | options
    with pytest.raises(InputError, match=message):
        Simplex(given.pop("species"), given.pop("grid"), **given)


def test_too_many_points_cannot_be_numbered():
    space = Simplex([f"e{k}" for k in range(30)], 100)
    assert space.n_grid_points == math.comb(129, 29)
    with pytest.raises(InputError, match="too many"):
        space.from_index(np.arange(2))


def test_points_too_many_to_number_are_equally_likely_too(monkeypatch):
    small = Simplex("ABCD", 10, fewest=2, most=3, least=0.1)
    monkeypatch.setattr(simplex, "LARGEST_COUNT", 5)
    drawn, times = np.unique(small.sample(40_000, np.random.default_rng(0)), axis=0, return_counts=True)
    assert len(drawn) == small.n_grid_points
    expected = 40_000 / small.n_grid_points
    assert ((times - expected) ** 2 / expected).sum() < stats.chi2(small.n_grid_points - 1).ppf(0.999)
    monkeypatch.undo()
    large = Simplex([f"e{k}" for k in range(30)], 100, least=0.01)
    assert large.n_grid_points > 2**63
    x = large.sample(200, np.random.default_rng(0))
    np.testing.assert_array_equal(large.snap(x), x)
    # A hundred steps in k parts of thirty: C(30, k) C(99, k - 1) ways.
    ways = np.array([math.comb(30, k) * math.comb(99, k - 1) for k in range(1, 31)], dtype=float)
    mean = (ways * np.arange(1, 31)).sum() / ways.sum()
    assert (x > 0).sum(axis=1).mean() == pytest.approx(mean, abs=0.5)
