"""Spaces of numbers in intervals, with symmetries."""

from __future__ import annotations

import numpy as np
import pytest

from nestmat.errors import InputError
from nestmat.search.spaces.box import Box
from nestmat.search.spaces.factors import Interval


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
