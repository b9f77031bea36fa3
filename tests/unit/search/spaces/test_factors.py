"""Numbers in intervals, fixed numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nestmat.errors import InputError
from nestmat.search.spaces.box import Box
from nestmat.search.spaces.factors import Fixed, Interval
from nestmat.search.spaces.product import Product
from support.perovskite_spaces import free


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


def test_a_fixed_number_neither_moves_nor_adds_distance():
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
