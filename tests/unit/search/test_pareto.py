"""Pareto fronts and their hypervolume."""

from __future__ import annotations

import numpy as np
import pytest

from nestmat.errors import InputError
from nestmat.search.pareto import hypervolume, non_dominated


def test_rows_of_a_front_are_not_dominated():
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
