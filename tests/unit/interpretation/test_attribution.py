from __future__ import annotations

from itertools import permutations
from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nestmat.errors import InputError
from nestmat.interpretation import attribution
from nestmat.interpretation.attribution import sampled_shapley_values, shapley_values


def brute_shapley(function, row, background):
    """Mean marginal contribution over all orders in which the inputs can join."""
    d = len(row)
    phi = np.zeros(d)
    for order in permutations(range(d)):
        mixed = background.copy()
        before = function(mixed).mean()
        for j in order:
            mixed[:, j] = row[j]
            after = function(mixed).mean()
            phi[j] += after - before
            before = after
    return phi / factorial(d)


def nonlinear(x):
    return np.tanh(x[:, 0] * x[:, 1]) + x[:, 2] ** 2 - 0.5 * x[:, 0] * x[:, 3]


@pytest.mark.parametrize("chunk", [7, 2**22])
def test_shapley_values_equal_brute_force(chunk, monkeypatch):
    monkeypatch.setattr(attribution, "CHUNK", chunk)
    rng = np.random.default_rng(0)
    x, background = rng.normal(size=(3, 5)), rng.normal(size=(4, 5))
    found = attribution.shapley_values(nonlinear, x, background)
    expected = np.stack([brute_shapley(nonlinear, row, background) for row in x])
    np.testing.assert_allclose(found, expected, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(0, 10_000))
def test_shapley_efficiency(width, seed):
    rng = np.random.default_rng(seed)
    hidden, out = rng.normal(size=(width, 7)), rng.normal(size=(7, 2))
    x, background = rng.normal(size=(4, width)), rng.normal(size=(3, width))

    def function(v):
        return np.tanh(v @ hidden) @ out

    phi = attribution.shapley_values(function, x, background)
    assert phi.shape == (4, width, 2)
    np.testing.assert_allclose(phi.sum(axis=1), function(x) - function(background).mean(0), atol=1e-10)


def test_shapley_symmetry_and_dummy():
    rng = np.random.default_rng(1)
    x, background = rng.normal(size=(5, 4)), rng.normal(size=(6, 4))
    x[:, 1], background[:, 1] = x[:, 0], background[:, 0]
    phi = attribution.shapley_values(lambda v: np.exp(v[:, 0] * v[:, 1]) * v[:, 2], x, background)
    np.testing.assert_allclose(phi[:, 0], phi[:, 1], atol=1e-12)
    np.testing.assert_allclose(phi[:, 3], 0.0, atol=1e-12)


def test_shapley_of_a_linear_model_in_closed_form():
    rng = np.random.default_rng(2)
    w = rng.normal(size=12)
    x, background = rng.normal(size=(3, 12)), rng.normal(size=(2, 12))
    phi = attribution.shapley_values(lambda v: v @ w + 4.0, x, background)
    np.testing.assert_allclose(phi, w * (x - background.mean(0)), atol=1e-10)


def test_shapley_of_groups():
    rng = np.random.default_rng(3)
    x, background = rng.normal(size=(4, 5)), rng.normal(size=(3, 5))
    groups = {"ab": [0, 3], "c": [1], "de": [4, 2]}
    found = attribution.shapley_values(nonlinear, x, background, groups)

    # Three players that pick a row's or a background row's columns: the same game written out.
    def game(choice, row, other):
        mixed = other.copy()
        for g, columns in enumerate(groups.values()):
            if choice[g]:
                mixed[:, columns] = row[columns]
        return nonlinear(mixed).mean()

    for row, phi in zip(x, found, strict=True):
        expected = np.zeros(3)
        for order in permutations(range(3)):
            choice = np.zeros(3, dtype=bool)
            for g in order:
                before = game(choice, row, background)
                choice[g] = True
                expected[g] += (game(choice, row, background) - before) / 6
        np.testing.assert_allclose(phi, expected, atol=1e-12)


def test_shapley_refuses_what_it_cannot_enumerate():
    x = np.zeros((2, 13))
    with pytest.raises(InputError, match="8192 coalitions"):
        attribution.shapley_values(lambda v: v.sum(1), x, x)
    with pytest.raises(InputError, match="each of the 3 inputs once"):
        attribution.shapley_values(lambda v: v.sum(1), x[:, :3], x[:, :3], {"a": [0, 1], "b": [1]})
    with pytest.raises(InputError, match="background"):
        attribution.shapley_values(lambda v: v.sum(1), x[:, :3], x[:0, :3])


def test_permutation_importance_of_a_linear_model():
    rng = np.random.default_rng(4)
    x, background = rng.normal(size=(400, 3)), rng.normal(size=(500, 3))
    w = np.array([2.0, 0.0, -1.0])
    mean, deviation = attribution.permutation_importance(lambda v: v @ w, x, background, repeats=20, seed=0)
    # |w| times the mean absolute difference of two standard normal numbers.
    np.testing.assert_allclose(mean, np.abs(w) * 2 / np.sqrt(np.pi), rtol=0.06)
    assert deviation[1] == 0.0
    assert 0 < deviation[0] < 0.2
    grouped, _ = attribution.permutation_importance(
        lambda v: np.stack([v @ w, v[:, 1]], axis=1),
        x,
        background,
        {"a": [0, 2], "b": [1]},
        repeats=5,
        seed=0,
    )
    assert grouped.shape == (2, 2)
    assert grouped[0, 1] == 0.0
    assert grouped[1, 0] == 0.0


def test_permutation_importance_near_that_of_scikit_learn():
    from sklearn.inspection import permutation_importance
    from sklearn.linear_model import LinearRegression

    x = np.random.default_rng(5).normal(size=(300, 4))
    model = LinearRegression().fit(x, nonlinear(x))

    def function(v):
        return np.tanh(model.predict(v))

    def score(estimator, v, y):
        return -np.abs(np.tanh(estimator.predict(v)) - y).mean()

    peer = permutation_importance(model, x, function(x), scoring=score, n_repeats=60, random_state=0)
    mean, _ = attribution.permutation_importance(function, x, x, repeats=60, seed=0)
    np.testing.assert_allclose(mean, peer.importances_mean, rtol=0.05)


def test_sampled_shapley_values_tend_to_the_exact_ones():
    rng = np.random.default_rng(0)
    x, background = rng.normal(size=(6, 5)), rng.normal(size=(40, 5))
    groups = {"a": [0], "b": [1, 3], "c": [2], "d": [4]}

    def function(v):
        return np.stack(
            [np.tanh(v[:, 0] * v[:, 1]) + v[:, 2] ** 2 - 0.5 * v[:, 0] * v[:, 3], v[:, 4]], axis=1
        )

    exact = shapley_values(function, x, background, groups)
    found = sampled_shapley_values(function, x, background, groups, orders=4000, seed=0)
    assert found.shape == exact.shape == (6, 4, 2)
    np.testing.assert_allclose(found, exact, atol=0.06)
    # Of a sum nothing depends on the order: background rows alone are drawn.
    one = sampled_shapley_values(function, x, background[:1], groups, orders=1, seed=0)[..., 1]
    np.testing.assert_allclose(one[:, 3], x[:, 4] - background[0, 4])
    assert (one[:, :3] == 0).all()


def test_sampling_in_chunks_changes_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    x, background = rng.normal(size=(7, 3)), rng.normal(size=(4, 3))

    def function(v):
        return (v[:, :1] * v[:, 1:2]) ** 2

    whole = sampled_shapley_values(function, x, background, orders=5, seed=1)
    monkeypatch.setattr("nestmat.interpretation.attribution.CHUNK", 25)
    np.testing.assert_allclose(sampled_shapley_values(function, x, background, orders=5, seed=1), whole)
    sums = whole.sum(axis=1)
    assert np.isfinite(sums).all()
