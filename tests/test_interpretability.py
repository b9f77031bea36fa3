from __future__ import annotations

from itertools import permutations
from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nestmat.errors import InputError
from nestmat.evaluation.interpretability import association, attribution
from nestmat.evaluation.interpretability.alignment import align_latents, standardised
from nestmat.evaluation.interpretability.embedding import pca_map, umap_map


def brute_distance_correlation(x, y):
    n = len(x)
    a = np.array([[abs(x[i] - x[j]) for j in range(n)] for i in range(n)])
    b = np.array([[abs(y[i] - y[j]) for j in range(n)] for i in range(n)])
    a = a - a.mean(0)[None] - a.mean(1)[:, None] + a.mean()
    b = b - b.mean(0)[None] - b.mean(1)[:, None] + b.mean()
    return np.sqrt((a * b).mean() / np.sqrt((a * a).mean() * (b * b).mean()))


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


# Alignment


def test_alignment_recovers_permutation_and_sign():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(80, 5))
    orders = [rng.permutation(5) for _ in range(6)]
    signs = rng.choice([-1.0, 1.0], size=(6, 5))
    members = np.stack([truth[:, o] * s for o, s in zip(orders, signs, strict=True)])
    members = members * rng.uniform(0.5, 2.0, size=(6, 1, 5)) + 0.05 * rng.normal(size=members.shape)
    found = align_latents(members)
    aligned = found.apply(members)
    for k in range(5):
        r = np.corrcoef(aligned[:, :, k])
        assert r.min() > 0.98
    np.testing.assert_array_equal(found.order[found.reference], np.arange(5))
    np.testing.assert_array_equal(found.sign[found.reference], 1.0)
    assert found.stability.min() > 0.98


def test_alignment_to_a_given_member_and_of_one_alone():
    rng = np.random.default_rng(1)
    members = rng.normal(size=(3, 30, 2))
    assert align_latents(members, reference=2).reference == 2
    alone = align_latents(members[:1])
    np.testing.assert_array_equal(alone.apply(members[:1]), members[:1])
    assert np.isnan(alone.stability).all()


def test_alignment_takes_a_dead_latent():
    rng = np.random.default_rng(2)
    members = np.repeat(rng.normal(size=(1, 40, 3)), 3, axis=0)
    members[:, :, 1] = 0.25
    found = align_latents(members)
    np.testing.assert_allclose(found.stability, [1.0, 0.0, 1.0], atol=1e-12)


def test_alignment_moves_attributions_as_latents():
    rng = np.random.default_rng(3)
    base = rng.normal(size=(50, 4))
    members = np.stack([base, -base[:, [2, 0, 3, 1]]])
    found = align_latents(members, reference=0)
    attributions = members[:, :, None, :] * np.arange(1.0, 4.0)[:, None]
    aligned = found.apply(attributions)
    np.testing.assert_allclose(aligned[0], aligned[1])


# Association


@pytest.mark.parametrize("n", [5, 23])
def test_distance_correlation_equals_its_definition(n, monkeypatch):
    monkeypatch.setattr(association, "CHUNK", 40)
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


# Attribution


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


# Maps


def test_pca_map_equals_scikit_learn():
    from sklearn.decomposition import PCA

    x = np.random.default_rng(5).normal(size=(50, 4)) @ np.diag([3.0, 2.0, 1.0, 0.5])
    xy, share = pca_map(x)
    peer = PCA(2).fit(x)
    np.testing.assert_allclose(np.abs(xy), np.abs(peer.transform(x)), atol=1e-10)
    np.testing.assert_allclose(share, peer.explained_variance_ratio_)


def test_pca_map_of_one_latent():
    x = np.linspace(-1, 2, 10)[:, None]
    xy, share = pca_map(x)
    np.testing.assert_allclose(xy[:, 0], x[:, 0] - 0.5)
    np.testing.assert_array_equal(xy[:, 1], 0.0)
    np.testing.assert_allclose(share, [1.0, 0.0])


@pytest.mark.slow
def test_umap_map_separates_clusters_and_repeats():
    rng = np.random.default_rng(6)
    x = np.concatenate([rng.normal(size=(20, 3)), 30 + rng.normal(size=(20, 3))])
    xy = umap_map(x, seed=0, neighbours=10)
    np.testing.assert_array_equal(xy, umap_map(x, seed=0, neighbours=10))
    within = np.linalg.norm(xy[:20] - xy[:20].mean(0), axis=1).max()
    assert np.linalg.norm(xy[:20].mean(0) - xy[20:].mean(0)) > 2 * within
    assert umap_map(x[:6], seed=0).shape == (6, 2)


def test_standardised_columns_are_unit_vectors():
    x = np.random.default_rng(8).normal(loc=5.0, size=(30, 2))
    unit = standardised(x)
    np.testing.assert_allclose(unit.T @ unit, np.corrcoef(x.T), atol=1e-12)
