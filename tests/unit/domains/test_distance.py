"""Distances to the nearest training material and the thresholds that follow from the materials."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from nestmat.domains import distance
from nestmat.domains.distance import TrainingDistance


def rows(n=300, seed=0):
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(random.normal(size=(n, 3)) * [1.0, 10.0, 0.1], columns=["a", "b", "c"])
    return frame, pd.Series(np.arange(n) // 3).astype(str)


def test_distances_are_those_of_scipy_and_rows_of_one_material_do_not_count():
    frame, materials = rows()
    found = TrainingDistance.of(frame.assign(constant=2.0), materials)
    assert list(found.spread) == ["a", "b", "c"]
    spread = frame.std(ddof=0).to_numpy()
    apart = cdist(frame / spread, frame / spread)
    apart[materials.to_numpy()[:, None] == materials.to_numpy()] = np.inf
    left_out = np.sort(apart.min(axis=1))
    np.testing.assert_allclose(found.percentiles[95], left_out[int(np.ceil(0.95 * 300)) - 1], rtol=1e-9)
    new = rows(seed=1)[0]
    np.testing.assert_allclose(found.nearest(new), cdist(new / spread, frame / spread).min(axis=1), rtol=1e-9)


def test_most_of_the_same_distribution_is_inside_and_nothing_far_away():
    frame, materials = rows()
    found = TrainingDistance.of(frame, materials)
    again = found.finding(found.measure(rows(seed=1)[0], np.ones(300, dtype=bool)))
    assert 0.9 < (again.codes == 0).mean() < 1
    far = found.finding(found.measure(frame + np.array([20.0, 0, 0]), np.ones(300, dtype=bool)))
    assert (far.codes == 2).all()
    assert far.reason(0).startswith("farther from every training material than any of them is from the next")
    edge = np.flatnonzero(again.codes == 1)[0]
    words = "farther from every training material than "
    assert again.reason(edge).startswith((f"{words}9", f"{words}any"))


def test_a_material_of_many_rows_weighs_as_one():
    frame = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0, *[50.0 + 0.01 * k for k in range(96)]]})
    materials = pd.Series(["p", "q", "r", "s", *["t"] * 96])
    found = TrainingDistance.of(frame, materials)
    # Four of five materials are a step apart, and the rows of the fifth are no tail of 96 %.
    np.testing.assert_allclose(found.percentiles[50] * found.spread["a"], 1.0)


def test_large_tables_are_measured_to_a_part_of_their_rows(monkeypatch):
    monkeypatch.setattr(distance, "REFERENCE_ROWS", 120)
    frame, materials = rows()
    found = TrainingDistance.of(frame, materials)
    assert len(found.reference) == 120
    assert materials[found.reference.index].nunique() == 100
    assert (found.finding(found.measure(frame, np.ones(300, dtype=bool))).codes == 0).mean() > 0.9


def test_a_missing_input_makes_a_lower_bound():
    frame, materials = rows()
    found = TrainingDistance.of(frame, materials)
    new = rows(seed=1)[0]
    assert (found.nearest(new[["a", "b"]]) <= found.nearest(new) + 1e-12).all()


def test_one_material_has_no_distance():
    frame, _ = rows(4)
    found = TrainingDistance.of(frame, pd.Series(["x"] * 4))
    assert (found.finding(found.measure(frame + 100, np.ones(4, dtype=bool))).codes == 0).all()
