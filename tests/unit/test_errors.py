from __future__ import annotations

import doctest

import nestmat.errors
from nestmat.errors import InputError


def test_the_place_comes_first_and_the_remedy_last():
    error = InputError(
        "The number is negative.",
        file="a.csv",
        row=3,
        column="gap",
        key="data.a",
        value=-1,
        remedy="mend it.",
    )
    assert str(error) == (
        "a.csv, row 3, column 'gap', key 'data.a', value -1: The number is negative. Remedy: mend it."
    )
    assert error.rejection == "The number is negative. mend it."


def test_a_table_of_rejected_rows_may_state_a_shorter_reason():
    error = InputError("The formula 'Xx' holds no element.", reason="holds no element.", remedy="Correct it.")
    assert error.rejection == "holds no element. Correct it."


def test_a_value_that_the_message_quotes_is_not_repeated():
    assert str(InputError("There is no scale 'gap'.", key="scale", value="gap")) == (
        "key 'scale': There is no scale 'gap'."
    )


def test_without_a_place_the_message_stands_alone():
    assert str(InputError("The table is empty.")) == "The table is empty."


def test_examples():
    assert doctest.testmod(nestmat.errors).failed == 0
