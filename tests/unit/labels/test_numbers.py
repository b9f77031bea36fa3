"""How numbers are written."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from nestmat.labels import numbers
from nestmat.labels.numbers import format_spread, format_value


@pytest.mark.parametrize(
    ("number", "wanted"),
    [
        (2.384, "2.384 eV"),
        (0.00551, "0.006 eV"),
        (0.000551, "0.000551 eV"),
        (-14.421, "−14.42 eV"),
        (np.nan, "–"),
        (12345.6, "12346 eV"),
    ],
)
def test_values_have_sensible_decimals(number, wanted):
    assert format_value(number, "eV").replace("\u00a0", " ") == wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ((0.1141, 0.02304, "eV"), "0.114 ± 0.023 eV"),
        ((14.4, 0.5), "14.40 ± 0.50"),
        ((3.4, 0.0, "kJ/mol", 1), "3.400 kJ/mol"),
        ((2.384, np.nan), "2.384"),
    ],
)
def test_spread_has_the_decimals_of_the_mean(given, wanted):
    found = format_spread(*given)
    assert " " not in found
    assert found.replace("\u00a0", " ") == wanted


def test_examples_of_numbers():
    assert doctest.testmod(numbers).failed == 0
