"""Spaces of independent factors."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nestmat.search.spaces.factors import Interval
from support.perovskite_spaces import free, perovskites


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


def test_canonical_forms_are_on_the_grid_and_stay():
    space = perovskites()
    canonical = space.canonical(space.from_free(free(space, 100_000)).numpy())
    np.testing.assert_array_equal(space.canonical(canonical), canonical)
    steps = canonical[:, :10] * 8
    np.testing.assert_array_equal(steps, np.rint(steps))
    for part in (steps[:, :3], steps[:, 3:7], steps[:, 7:10]):
        assert (part.sum(axis=1) == 8).all()
    assert canonical[:, 5].max() == 0.375, "the largest eighth within the bound"


def test_the_space_is_counted_and_enumerated_once():
    space = perovskites()
    chunks = list(space.enumerate(5000))
    rows = np.concatenate(chunks)
    assert max(map(len, chunks)) <= 5000
    assert len(rows) == space.n_materials == len(np.unique(rows, axis=0))
    assert space.n_materials == math.prod(factor.n_grid_points for factor in space.factors)
    np.testing.assert_array_equal(space.canonical(rows), rows)


def test_distances_are_metrics_between_0_and_1():
    space = perovskites()
    a, b, c = space.sample(300, 0), space.sample(300, 1), space.sample(300, 2)
    ab, ac, cb = space.distance(a, b), space.distance(a, c), space.distance(c, b)
    assert ((ab >= 0) & (ab <= 1)).all()
    np.testing.assert_allclose(ab, space.distance(b, a))
    assert (ab <= ac + cb + 1e-12).all()
    assert (space.distance(a, a) == 0).all()


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
