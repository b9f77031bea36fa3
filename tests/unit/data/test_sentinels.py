"""Numbers that stand for no value, by how far they are from the others."""

import numpy as np
import pytest

from nestmat.data.sentinels import suspected_sentinels

GAPS = np.linspace(0.5, 3.0, 30)


@pytest.mark.parametrize(
    ("further", "suspected"),
    [
        ([-999.0, -999.0], [-999.0]),
        ([9999.0], [9999.0]),
        ([1e30, 1e30, -9999.0], [1e30, -9999.0]),
        ([3.5, 3.5], []),
        ([400.0], []),
    ],
)
def test_repeated_or_coded_extremes(further, suspected):
    values = np.concatenate([GAPS, further, [np.nan]])
    assert sorted(s.value for s in suspected_sentinels(values)) == sorted(suspected)


def test_two_settings_are_no_sentinels():
    assert not [*suspected_sentinels(np.repeat([300.0, 400.0], 20))]


def test_a_property_that_most_rows_share_has_no_sentinel():
    values = np.repeat([0.71, 0.72, 0.73, 0.74, 2.2], [5, 5, 200, 5, 15])
    assert not [*suspected_sentinels(values)]
    assert [s.value for s in suspected_sentinels(np.append(values, [-999.0, -999.0]))] == [-999.0]
