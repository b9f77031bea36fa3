"""Names of what design problems hold."""

from __future__ import annotations

import doctest

from nestmat.labels import problems


def test_examples_of_names():
    assert doctest.testmod(problems).failed == 0


def test_a_judge_of_a_plugin_is_named_by_its_key():
    assert problems.judge_name("nearest_neighbours") == "nearest neighbours"
    assert problems.order_judges(["all", "nearest_neighbours", "model"]) == [
        "model",
        "all",
        "nearest_neighbours",
    ]
