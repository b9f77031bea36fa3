from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nestmat.interpretation import association


def brute_distance_correlation(x, y):
    n = len(x)
    a = np.array([[abs(x[i] - x[j]) for j in range(n)] for i in range(n)])
    b = np.array([[abs(y[i] - y[j]) for j in range(n)] for i in range(n)])
    a = a - a.mean(0)[None] - a.mean(1)[:, None] + a.mean()
    b = b - b.mean(0)[None] - b.mean(1)[:, None] + b.mean()
    return np.sqrt((a * b).mean() / np.sqrt((a * a).mean() * (b * b).mean()))


@pytest.mark.parametrize("n", [5, 23])
@pytest.mark.parametrize("chunk", [40, 500])
def test_distance_correlation_equals_its_definition(n, chunk, monkeypatch):
    # Blocks of one row, and of several.
    monkeypatch.setattr(association, "CHUNK", chunk)
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(n, 2)), rng.integers(0, 3, size=(n, 3)).astype(float)
    y[:2] = [[0, 1, 2], [2, 1, 0]]
    found = association.correlation(x, y, "distance")
    for i in range(2):
        for j in range(3):
            assert found[i, j] == pytest.approx(brute_distance_correlation(x[:, i], y[:, j]), rel=1e-10)


def test_pearson_and_spearman_equal_scipy():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(40, 3)), rng.integers(0, 6, size=(40, 2)).astype(float)
    for method, peer in (("pearson", stats.pearsonr), ("spearman", stats.spearmanr)):
        found = association.correlation(x, y, method)
        expected = [[peer(x[:, i], y[:, j]).statistic for j in range(2)] for i in range(3)]
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_distance_correlation_sees_what_pearson_does_not():
    x = np.linspace(-1, 1, 101)[:, None]
    assert abs(association.correlation(x, x**2, "pearson")[0, 0]) < 1e-12
    assert association.correlation(x, x**2, "distance")[0, 0] > 0.4
    assert association.correlation(x, -3 * x + 2, "distance")[0, 0] == pytest.approx(1.0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 100), st.floats(-1e3, 1e3))
def test_correlations_do_not_depend_on_units(seed, scale, shift):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(20, 2)), rng.normal(size=(20, 2))
    for method in association.METHODS:
        np.testing.assert_allclose(
            association.correlation(x, y, method),
            association.correlation(x * scale + shift, y, method),
            atol=1e-8,
        )


@pytest.mark.parametrize("method", association.METHODS)
def test_constant_columns_have_no_correlation(method):
    x = np.random.default_rng(0).normal(size=(12, 2))
    x[:, 1] = 0.1
    value = association.correlation(x, x, method)
    p = association.permutation_p_values(x[None], x[None], method, 99, 0)
    for found in (value, p):
        np.testing.assert_array_equal(np.isnan(found), [[False, True], [True, True]])


@pytest.mark.parametrize("method", association.METHODS)
def test_permutation_test_counts_permutations_by_definition(method):
    rng = np.random.default_rng(5)
    z, x = rng.normal(size=(2, 9, 2)), rng.normal(size=(1, 9, 2))
    p = association.permutation_p_values(z, x, method, 199, seed=3)

    # The same permutations, each applied to the rows of the latents.
    same = np.random.default_rng(3)
    drawn = [same.permutation(9) for _ in range(199)]
    found = np.abs(association.mean_correlation(z, x, method))
    counts = sum(np.abs(association.mean_correlation(z[:, d], x, method)) >= found - 1e-9 for d in drawn)
    np.testing.assert_allclose(p, (counts + 1) / 200)


@pytest.mark.parametrize("method", association.METHODS)
def test_permutation_test_of_members_with_their_own_others(method):
    rng = np.random.default_rng(6)
    z = rng.normal(size=(3, 30, 2))
    x = np.concatenate([z[:, :, :1] + 0.2 * rng.normal(size=(3, 30, 1)), rng.normal(size=(3, 30, 1))], axis=2)
    p = association.permutation_p_values(z, x, method, 199, seed=0)
    assert p[0, 0] == pytest.approx(1 / 200)
    assert p[1, 1] > 0.01


def test_permutation_p_values_are_uniform_without_association():
    rng = np.random.default_rng(7)
    z, x = rng.normal(size=(1, 25, 20)), rng.normal(size=(1, 25, 20))
    for method in association.METHODS:
        p = association.permutation_p_values(z, x, method, 199, seed=1).ravel()
        assert stats.kstest(p, "uniform").pvalue > 1e-3


def test_permutation_p_values_near_the_t_test():
    rng = np.random.default_rng(8)
    x = rng.normal(size=(60, 1))
    y = 0.3 * x + rng.normal(size=(60, 1))
    p = association.permutation_p_values(x[None], y[None], "pearson", 9999, 0)[0, 0]
    assert p == pytest.approx(stats.pearsonr(x[:, 0], y[:, 0]).pvalue, abs=0.01)


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_p_values_near_the_exact_test_of_scipy(method):
    rng = np.random.default_rng(8)
    x = rng.normal(size=7)
    y = 0.8 * x + rng.normal(size=7)
    peer = {"pearson": stats.pearsonr, "spearman": stats.spearmanr}[method]
    exact = stats.permutation_test(
        (x,), lambda a: abs(peer(a, y).statistic), permutation_type="pairings", alternative="greater"
    )
    p = association.permutation_p_values(x[None, :, None], y[None, :, None], method, 9999, 0)[0, 0]
    assert p == pytest.approx(exact.pvalue, abs=0.015)


def test_distance_test_of_many_rows_draws_some(monkeypatch):
    monkeypatch.setattr(association, "TEST_ROWS", 30)
    rng = np.random.default_rng(9)
    z = rng.normal(size=(1, 200, 1))
    p = association.permutation_p_values(z, z**2, "distance", 199, 0)
    assert p[0, 0] == pytest.approx(1 / 200)


def test_false_discovery_rates_follow_benjamini_hochberg():
    p = np.array([0.01, np.nan, 0.04, 0.03, 0.005, 0.6])
    expected = [0.025, np.nan, 0.05, 0.05, 0.025, 0.6]
    np.testing.assert_allclose(association.false_discovery_rates(p), expected)
    assert np.isnan(association.false_discovery_rates(np.array([np.nan]))).all()


def test_adjusted_correlation():
    found = association.adjusted(np.array([0.05, -0.55, 1.0]), n=103)
    np.testing.assert_allclose(found, [0.0, 0.5, 1.0])
    assert np.isnan(association.adjusted(np.array([0.5]), n=4)).all()
