from __future__ import annotations

import numpy as np

from nestmat.search.candidates import first_occurrences, row_numbers

ROWS = np.random.default_rng(0).integers(-1, 2, size=(200, 3)) * 0.5


def test_rows_occur_first_where_numpy_has_them():
    _, first = np.unique(ROWS, axis=0, return_index=True)
    np.testing.assert_array_equal(first_occurrences(ROWS), np.sort(first))


def test_equal_rows_share_a_number():
    numbers: dict[bytes, int] = {}
    before = row_numbers(ROWS[:50], numbers)
    after = row_numbers(np.where(ROWS == 0.0, -0.0, ROWS), numbers)
    np.testing.assert_array_equal(after[:50], before)
    equal = (ROWS[:, None] == ROWS[None]).all(axis=2)
    np.testing.assert_array_equal(after[:, None] == after[None], equal)
    assert set(after) == set(range(len(numbers)))
