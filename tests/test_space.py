"""Design spaces: constraints hold exactly, canonical forms are unique, counts are exact."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nestmat.errors import InputError
from nestmat.materials import formulas
from nestmat.search.spaces import simplex
from nestmat.search.spaces.alloys import ABX3Alloy, Alloy
from nestmat.search.spaces.box import Box
from nestmat.search.spaces.factors import Choice, Fixed, Interval
from nestmat.search.spaces.pool import Pool
from nestmat.search.spaces.product import Product
from nestmat.search.spaces.simplex import Simplex

CHARGES = {"K": 1, "Cs": 1, "MA": 1, "Ge": 2, "Sn": 2, "Pb": 2, "Ca": 2, "Cl": -1, "Br": -1, "I": -1}


def perovskites(**others):
    return ABX3Alloy(
        {
            "A": Simplex(["K", "Cs", "MA"], 8, site="A", most=2),
            "B": Simplex(["Ge", "Sn", "Pb", "Ca"], 8, site="B", most=3, least=0.125, bounds={"Pb": (0, 0.4)}),
            "X": Simplex(["Cl", "Br", "I"], 8, site="X", bounds={"I": (0.25, 0.75)}),
        },
        CHARGES,
        [
            Interval("strain", -0.02, 0.02, 5),
            Fixed("temperature", 300.0),
            Choice("solvent", ["DMSO", "DMF", "THTO"]),
        ],
    )


def free(space, n, spread=4.0):
    random = np.random.default_rng(0)
    return torch.from_numpy(random.normal(0, spread, (n, space.n_free)))


def test_random_free_vectors_meet_every_constraint():
    space = perovskites()
    x = space.from_free(free(space, 100_000)).numpy()
    a, b, i = x[:, :3], x[:, 3:7], x[:, 7:10]
    charge = np.zeros(len(x))
    for part, ratio, sign in ((a, 1, 1), (b, 1, 2), (i, 3, -1)):
        assert abs(part.sum(axis=1) - 1).max() < 1e-9
        assert (part >= 0).all()
        charge += ratio * sign * part.sum(axis=1)
    assert abs(charge).max() < 1e-9
    assert ((a > 0).sum(axis=1) <= 2).all()
    assert ((b > 0).sum(axis=1) <= 3).all()
    assert b[b > 0].min() >= 0.125
    assert b[:, 2].max() == 0.4, "the bound is reached, and never passed"
    assert i[:, 2].min() == 0.25
    assert i[:, 2].max() == 0.75
    assert (abs(x[:, 10]) <= 0.02).all()
    assert set(np.unique(x[:, 12:])) == {0.0, 1.0}
    assert (x[:, 12:].sum(axis=1) == 1).all()


def test_free_vectors_reach_every_choice_of_species():
    space = Simplex(["Ge", "Sn", "Pb", "Ca"], 8, most=3, least=0.125)
    present = space.from_free(free(space, 5000)).numpy() > 0
    assert len(np.unique(present, axis=0)) == sum(math.comb(4, k) for k in (1, 2, 3))


def test_canonical_forms_are_on_the_grid_and_stay():
    space = perovskites()
    canonical = space.canonical(space.from_free(free(space, 100_000)).numpy())
    np.testing.assert_array_equal(space.canonical(canonical), canonical)
    steps = canonical[:, :10] * 8
    np.testing.assert_array_equal(steps, np.rint(steps))
    for part in (steps[:, :3], steps[:, 3:7], steps[:, 7:10]):
        assert (part.sum(axis=1) == 8).all()
    assert canonical[:, 5].max() == 0.375, "the largest eighth within the bound"


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


def test_points_of_a_large_simplex_are_numbered_without_a_table():
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


def test_the_space_is_counted_and_enumerated_once():
    space = perovskites()
    chunks = list(space.enumerate(5000))
    rows = np.concatenate(chunks)
    assert max(map(len, chunks)) <= 5000
    assert len(rows) == space.n_materials == len(np.unique(rows, axis=0))
    assert space.n_materials == math.prod(factor.n_grid_points for factor in space.factors)
    np.testing.assert_array_equal(space.canonical(rows), rows)


def test_formulas_read_back_as_the_same_composition():
    space = perovskites()
    x = space.sample(200, seed=1)
    for text, row in zip(space.formulas(x), x, strict=True):
        sites = formulas.parse(text).sites()
        for name, share in zip(space.columns[:10], row, strict=False):
            site, ion = name.split(":")
            assert sites[site].get(ion, 0.0) == pytest.approx(share, abs=1e-9)


def test_formulas_of_alloys():
    space = Alloy(Simplex(["Al", "Co", "Fe"], 20, fewest=2, most=3, least=0.05))
    assert space.formulas(np.array([[0.25, 0.0, 0.75]])) == ["Al25Fe75"]
    assert set(space.columns) == {"Al", "Co", "Fe"}


def test_distances_are_metrics_between_0_and_1():
    space = perovskites()
    a, b, c = space.sample(300, 0), space.sample(300, 1), space.sample(300, 2)
    ab, ac, cb = space.distance(a, b), space.distance(a, c), space.distance(c, b)
    assert ((ab >= 0) & (ab <= 1)).all()
    np.testing.assert_allclose(ab, space.distance(b, a))
    assert (ab <= ac + cb + 1e-12).all()
    assert (space.distance(a, a) == 0).all()


def test_neutrality_is_checked_when_the_space_is_made():
    sites = {
        "A": Simplex(["Cs"], 4, site="A"),
        "B": Simplex(["Pb", "Bi"], 4, site="B"),
        "X": Simplex(["I"], 4, site="X"),
    }
    with pytest.raises(InputError, match="differ in charge"):
        ABX3Alloy(sites, {"Cs": 1, "Pb": 2, "Bi": 3, "I": -1})
    with pytest.raises(InputError, match="charge of 1"):
        ABX3Alloy(sites, {"Cs": 1, "Pb": 3, "Bi": 3, "I": -1})
    with pytest.raises(InputError, match="charge of Bi is missing"):
        ABX3Alloy(sites, {"Cs": 1, "Pb": 2, "I": -1})


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


def test_periodic_numbers_go_round():
    angle = Interval("angle", 0.0, 360.0, 8, periodic=True)
    x = np.array([[359.0], [-10.0], [720.0], [100.0]])
    np.testing.assert_allclose(angle.snap(x)[:, 0], [0, 0, 0, 90])
    np.testing.assert_allclose(angle.distance(np.array([350.0]), np.array([10.0])), 20 / 180)
    values = angle.from_free(torch.tensor([[0.25], [1.25], [-0.75]])).numpy()
    np.testing.assert_allclose(values, 90.0)


def test_intervals_keep_their_ends():
    number = Interval("strain", -0.03, 0.03, 7)
    np.testing.assert_array_equal(number.from_index(np.array([0, 6]))[:, 0], [-0.03, 0.03])
    assert number.snap(np.array([[0.5], [-1.0]])).tolist() == [[0.03], [-0.03]]
    loose = Interval("strain", -0.03, 0.03)
    assert loose.snap(np.array([[0.0123]])).tolist() == [[0.0123]]
    with pytest.raises(InputError, match="cannot be numbered"):
        next(Box([loose]).enumerate(10))


@pytest.mark.parametrize(
    "symmetries",
    [
        [{"a": "b", "b": "a"}],
        [{"a": "b", "b": "a", "alpha": "beta", "beta": "alpha"}],
        [{"a": "b", "b": "c", "c": "a"}],
        [{"a": "b", "b": "a"}, {"b": "c", "c": "b"}],
    ],
)
def test_symmetric_materials_are_one(symmetries):
    lengths = [Interval(name, 3.0, 4.0, 4) for name in "abc"]
    angles = [Interval(name, 80.0, 100.0, 3) for name in ("alpha", "beta")]
    space = Box([*lengths, *angles], symmetries)
    rows = np.concatenate(list(space.enumerate(50)))
    assert len(rows) == len(np.unique(rows, axis=0)) == space.n_materials < space.n_grid_points
    x = space.sample(500, 0)
    place = {name: k for k, name in enumerate(space.columns)}
    for symmetry in symmetries:
        image = x[:, [place[symmetry.get(name, name)] for name in space.columns]]
        np.testing.assert_array_equal(space.canonical(image), space.canonical(x))
        assert (space.distance(image, x) == 0).all()
    np.testing.assert_array_equal(space.canonical(space.canonical(x)), space.canonical(x))


def test_symmetries_exchange_equal_intervals_only():
    box = [Interval("a", 3.0, 4.0), Interval("b", 3.0, 5.0)]
    with pytest.raises(InputError, match="intervals differ"):
        Box(box, [{"a": "b", "b": "a"}])
    with pytest.raises(InputError, match="no exchange of columns"):
        Box(box, [{"a": "z"}])


def test_a_pool_proposes_its_rows_only():
    table = pd.DataFrame({"x": [0.0, 1.0, 2.0], "y": [5.0, 5.0, 5.0]})
    pool = Pool(table, ["a", "b", "c"])
    np.testing.assert_array_equal(
        pool.canonical(np.array([[0.9, 5.0], [7.0, 5.0]])), table.to_numpy()[[1, 2]]
    )
    assert pool.formulas(pool.from_index(np.array([2, 0]))) == ["c", "a"]
    assert sum(map(len, pool.enumerate(2))) == pool.n_materials == 3
    assert set(np.unique(pool.sample(100, 0)[:, 0])) == {0.0, 1.0, 2.0}
    with pytest.raises(InputError, match="no continuous coordinates"):
        pool.from_free(torch.zeros(1, 0))
    with pytest.raises(InputError, match="twice"):
        Pool(pd.concat([table, table[:1]]), ["a", "b", "c", "a"])


def test_materials_are_found_again_from_their_free_numbers():
    space = perovskites()
    x = space.sample(500, seed=5)
    again = space.from_free(torch.from_numpy(space.to_free(x))).numpy()
    np.testing.assert_array_equal(space.canonical(again), x)
    angle = Interval("angle", 0.0, 360.0, 8, periodic=True)
    values = angle.from_index(np.arange(8))
    np.testing.assert_allclose(angle.from_free(torch.from_numpy(angle.to_free(values))).numpy(), values)


def test_steps_go_to_neighbours_on_the_grid():
    space = perovskites()
    x = space.sample(2000, seed=7)
    random = np.random.default_rng(0)
    moved = space.random_neighbour(x, random)
    np.testing.assert_array_equal(space.canonical(moved), moved)
    parts = [slice(0, 3), slice(3, 7), slice(7, 10), slice(10, 11), slice(11, 14)]
    changed = np.column_stack([(moved[:, p] != x[:, p]).any(axis=1) for p in parts])
    assert (changed.sum(axis=1) <= 1).all()
    assert changed.any(axis=0).all()
    a = abs(moved[:, :3] - x[:, :3]).sum(axis=1) / 2
    assert a[changed[:, 0]].min() == pytest.approx(0.125)
    assert abs(moved[:, 10] - x[:, 10])[changed[:, 3]] == pytest.approx(0.01)


def test_a_fixed_number_neither_moves_nor_counts_as_a_difference():
    space = Product([Interval("strain", 0.0, 1.0, 5), Fixed("thickness", 500.0)])
    points = space.from_index(np.arange(space.n_materials))
    assert space.n_materials == 5
    assert (points[:, 1] == 500.0).all()
    assert (space.from_free(free(space, 10)).numpy()[:, 1] == 500.0).all()
    stepped = space.random_neighbour(points, np.random.default_rng(0))
    assert (stepped[:, 0] != points[:, 0]).sum() >= 3, "the other number takes every step"
    assert space.distance(points[0], points[-1]) == 1.0
    with pytest.raises(InputError, match="Nothing varies"):
        Product([Fixed("thickness", 500.0)])


def test_alloys_of_many_elements_keep_every_limit_at_once():
    species = [f"e{k:02d}" for k in range(30)]
    limits = dict.fromkeys(species, (0.0, 0.35))
    elements = Simplex(species, 100, fewest=3, most=6, least=0.05, bounds=limits)
    space = Alloy(elements)
    # Ways to choose so many of them, times ways to share out 100 steps, from 5 to 35 each.
    ways, total = [1], 0
    for present in range(1, 7):
        ways = [sum(ways[s - k] for k in range(5, 36) if 0 <= s - k < len(ways)) for s in range(101)]
        total += math.comb(30, present) * ways[100] if present >= 3 else 0
    assert space.n_materials == total
    random = np.random.default_rng(0)
    free = space.from_free(torch.from_numpy(4 * random.normal(size=(500, 30)))).numpy()
    drawn = space.sample(500, 0)
    stepped = space.random_neighbour(drawn, random)
    snapped = space.canonical(free)
    for x in (free, drawn, stepped, snapped, space.canonical(random.dirichlet(np.full(30, 0.1), size=500))):
        present = (x > 0).sum(axis=1)
        assert present.min() >= 3
        assert present.max() <= 6
        assert x[x > 0].min() >= 0.05 - 1e-12
        assert x.max() <= 0.35 + 1e-12
        np.testing.assert_allclose(x.sum(axis=1), 1, atol=1e-12)
    for x in (drawn, stepped, snapped):
        np.testing.assert_array_equal(space.canonical(x), x)
    np.testing.assert_array_equal(
        space.canonical(space.from_free(torch.from_numpy(space.to_free(drawn))).numpy()), drawn
    )


def test_formulas_of_alloys_are_in_atomic_percent_and_in_one_order():
    space = Alloy(Simplex(["Ni", "Co", "Al"], 100, most=3))
    x = np.array([[0.07, 0.92, 0.01], [1.0, 0.0, 0.0]])
    assert space.formulas(x) == ["Al1Co92Ni7", "Ni100"]
    other = Alloy(Simplex(["Al", "Ni", "Co"], 100, most=3))
    assert other.formulas(x[:, [2, 0, 1]]) == space.formulas(x)


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
