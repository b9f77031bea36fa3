"""Training rows in place of a generator."""

from __future__ import annotations

import numpy as np

from nestmat.search.generators.retrieval import RetrievalOptions
from support.box_materials import CPU, SPACE, quantity, rows


def test_retrieval_returns_rows_near_the_value_once():
    x, y = rows(200)
    model = RetrievalOptions(width=0.2).build(SPACE, 0)
    model.fit(x, y, CPU)
    made = model.sample(1.0, 1000, 0)
    assert len(made) == (np.abs(y - 1.0) <= 0.2).sum()
    assert len(np.unique(made, axis=0)) == len(made)
    assert np.all(np.abs(quantity(made) - 1.0) <= 0.2)
    assert len(model.sample(1.0, 3, 0)) == 3
