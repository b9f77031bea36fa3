"""Spaces that are finite tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from nestmat.errors import InputError
from nestmat.search.spaces.pool import Pool


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
