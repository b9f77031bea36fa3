"""Further training rows that a trained model labels."""

from __future__ import annotations

import numpy as np

from nestmat.search.generators.pseudo_labels import PseudoLabelling
from support.box_materials import SPACE, quantity, rows


def test_pseudo_labelled_rows_are_those_of_small_spread():
    x, y = rows(400)

    def predict(given):
        return quantity(given), given[:, 0]

    teacher = PseudoLabelling(rows=2000, uniform=0.5, jitter=0.2, spread=0.3)
    taught, said = teacher(SPACE, x, y, predict, seed=0)
    assert 0 < len(taught) < 2000
    assert np.array_equal(SPACE.canonical(taught), taught)
    assert taught[:, 0].max() <= 0.3
    assert np.allclose(said, quantity(taught))
    alone, _ = PseudoLabelling(rows=100, uniform=0.0, jitter=1e-9, spread=9.0)(SPACE, x, y, predict, seed=0)
    # Rows of 0, which a quarter share, are not moved: they would only add more of the same.
    assert quantity(alone).min() > 0
