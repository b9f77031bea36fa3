"""How keys are written."""

from __future__ import annotations

import doctest

from nestmat.labels import text


def test_examples_of_text():
    assert doctest.testmod(text).failed == 0
