"""Numbers as people write them: read where there is one reading, refused with the reason where not."""

import math

import numpy as np
import pyarrow as pa
import pytest

from nestmat.data.numbers import COMMON_MISSING, NumberRules, read_number, read_numbers


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1.5", 1.5),
        ("−5", -5.0),
        ("–5", -5.0),
        ("1e−3", 1e-3),
        ("3×10^4", 3e4),
        ("3 × 10⁻⁴", 3e-4),
        ("10^5", 1e5),
        ("1.5D-3", 1.5e-3),
        ("12\u2009345", 12345.0),
        ("335 K", 335.0),
        ("1.2(3)", 1.2),
        ("1.2 ± 0.1", 1.2),
    ],
)
def test_one_reading(cell, value):
    number = read_number(cell, NumberRules(unit="K"))
    assert number.value == pytest.approx(value, rel=1e-15)
    assert (number.note is not None) == ("(" in cell or "±" in cell)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("335 °C", "unit '°C', and the column is in K"),
        ("12%", "unit '%'"),
        ("<300", "is a bound"),
        (">1e5", "is a bound"),
        ("~5", "is an approximate value"),
        ("1.2-1.5", "is a range"),
        ("1,5", "write a decimal point, not a comma"),
        ("1,234.5", "`thousands: ','` reads it"),
        ("1.234,5", "nothing between thousands"),
        ("3×104", "is not a number"),
        ("#DIV/0!", "missing_values: ['#DIV/0!']"),
        ("inf", "is not finite"),
        ("1_0", "is not a number"),
        ("٣", "is not a number"),
        ("1" * 100_000 + "x", "is not a number"),
    ],
)
def test_no_single_reading(cell, reason):
    number = read_number(cell, NumberRules(unit="K"))
    assert math.isnan(number.value)
    assert reason in number.reason


def test_marks_that_are_declared():
    rules = NumberRules(decimal=",", thousands=".")
    assert [read_number(cell, rules).value for cell in ("1,5", "1.234,5", "12", "1e3")] == [
        1.5,
        1234.5,
        12,
        1e3,
    ]
    assert "decimal mark is a comma" in read_number("1.5", rules).reason
    assert read_number("1,234.5", NumberRules(thousands=",")).value == 1234.5
    assert read_number("-", NumberRules(missing=COMMON_MISSING)).reason == "is missing"


@pytest.mark.parametrize("rules", [NumberRules(), NumberRules(sentinels=(7.0,))])
def test_a_column_is_read_as_its_cells_are(rules):
    cells = ["+1.5", "1.", ".5", "", "nan", "x", "1e999", "7", "-0.1", "335 K", "0.1"]
    column = read_numbers(pa.array(cells, pa.large_string()), rules)
    one_by_one = [read_number(cell, rules).value for cell in cells]
    np.testing.assert_array_equal(column.values, one_by_one)
    faults = dict(column.faults())
    assert set(faults) == {k for k, value in enumerate(one_by_one) if math.isnan(value)}
