"""Spread of a stack's error as a function of what members state and of how materials stand."""

from __future__ import annotations

import numpy as np
import pytest

from nestmat.domains.standing import Standing
from nestmat.domains.verdicts import EDGE, INSIDE, OUTSIDE
from nestmat.evaluation.spread import Spread

ROWS = 4000


def drawn(seed: int = 0) -> tuple[np.ndarray, np.ndarray, Standing, np.ndarray]:
    """Errors of a known spread: what is stated, and half a unit more outside; with the materials."""
    rng = np.random.default_rng(seed)
    stated = rng.uniform(0.05, 0.2, ROWS)
    codes = rng.choice([INSIDE, EDGE, OUTSIDE], ROWS, p=[0.7, 0.1, 0.2]).astype(np.int8)
    standing = Standing(codes, rng.uniform(0, 1, ROWS), np.zeros(ROWS, dtype=bool))
    true_spread = np.sqrt(stated**2 + np.where(codes == OUTSIDE, 0.5, 0.0) ** 2)
    return np.abs(true_spread * rng.normal(size=ROWS)), stated, standing, np.arange(ROWS), true_spread


def test_the_spread_of_unlike_materials_is_found():
    errors, stated, standing, materials, true_spread = drawn()
    spread = Spread.learn(errors, stated, standing, materials)
    np.testing.assert_allclose(spread.of(stated, standing), true_spread, rtol=0.15)
    later_errors, stated, standing, _, _ = drawn(1)
    for level, z in ((0.683, 1.0), (0.95, 1.96)):
        for code in (INSIDE, OUTSIDE):
            rows = standing.codes == code
            inside = later_errors[rows] <= z * spread.of(stated, standing)[rows]
            assert np.mean(inside) == pytest.approx(level, abs=0.04)


def test_the_spread_never_falls_with_the_distance():
    errors, stated, standing, materials, _ = drawn()
    # Errors that fall with the distance tell nothing that a spread may use.
    errors = errors / (1 + 5 * standing.distance)
    spread = Spread.learn(errors, stated, standing, materials)
    far = Standing(np.zeros(3, dtype=np.int8), np.array([0.0, 0.5, 5.0]), np.zeros(3, dtype=bool))
    of_far = spread.of(np.full(3, 0.1), far)
    assert (np.diff(of_far) >= 0).all()
    codes = Standing(np.array([0, 1, 2], dtype=np.int8), np.zeros(3), np.zeros(3, dtype=bool))
    terms = Spread(**{**vars(spread), "factors": dict.fromkeys(spread.factors, 1.0)})
    assert (np.diff(terms.of(np.full(3, 0.1), codes)) >= 0).all()


def test_the_unit_scales_the_spread_and_nothing_else():
    errors, stated, standing, materials, _ = drawn()
    one = Spread.learn(errors, stated, standing, materials).of(stated, standing)
    thousand = Spread.learn(1e3 * errors, 1e3 * stated, standing, materials).of(1e3 * stated, standing)
    np.testing.assert_allclose(thousand, 1e3 * one, rtol=1e-6)


def test_errors_of_zero_are_no_error():
    spread = Spread.learn(np.zeros(40), np.zeros(40), Standing.inside(40), np.arange(40))
    assert np.isfinite(spread.of(np.zeros(2), Standing.inside(2))).all()
