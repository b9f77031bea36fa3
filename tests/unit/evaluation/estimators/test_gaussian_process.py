"""What a Gaussian process says of the rows of a table."""

from __future__ import annotations

import pytest

from nestmat.evaluation.estimators.gaussian_process import GaussianProcess


@pytest.mark.parametrize(
    ("options", "rows", "gigabytes"),
    [
        ({}, 20000, "12.8 GB"),
        ({"kernel_rows": 1000}, 20000, "3.2 GB"),
        ({}, 8000, None),
        ({"rows": 8000}, 20000, None),
    ],
)
def test_memory_is_stated_where_nothing_bounds_it(options, rows, gigabytes):
    notes = " ".join(GaussianProcess(**options).notes_on_rows(rows))
    assert (f"takes some {gigabytes}" in notes) if gigabytes else ("GB" not in notes)
