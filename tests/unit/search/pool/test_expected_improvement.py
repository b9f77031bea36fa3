"""Bayesian search in a pool: start rows, acquisition, order of the picks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from nestmat.errors import InputError
from nestmat.search.pool import expected_improvement, gaussian_process
from nestmat.search.pool.expected_improvement import (
    DEFAULT_SETTINGS,
    PUBLISHED,
    RANKING,
    pool_search,
    start_rows,
)
from support.pool_searches import distances

torch.set_num_threads(1)


@pytest.mark.parametrize(("mean", "std", "best"), [(0.0, 1.0, 0.5), (3.0, 0.2, 1.0), (-1.0, 2.0, 4.0)])
def test_expected_improvement_is_the_integral(mean, std, best):
    found = expected_improvement.expected_improvement(*torch.tensor([mean, std, best]).double())
    wanted, _ = quad(lambda f: (f - best) * norm.pdf(f, mean, std), best, mean + 12 * std, epsabs=1e-13)
    assert float(found) == pytest.approx(max(wanted, 0.0), rel=1e-6)


def grid(side=14):
    """A smooth hill with a smaller one beside it, on a grid."""
    x = np.stack(np.meshgrid(*[np.linspace(-1, 1, side)] * 2), axis=-1).reshape(-1, 2)
    hill = np.exp(-3 * ((x - [0.45, -0.3]) ** 2).sum(1))
    return 2 * x, hill + 0.5 * np.exp(-6 * ((x + 0.6) ** 2).sum(1))


def seen(found, start):
    return (found >= 0).sum(axis=1) + start.shape[1]


@pytest.mark.parametrize(("batch", "most"), [(1, 0.3), (4, 0.35)])
def test_a_smooth_pool_is_searched_faster_than_at_random(batch, most):
    x, y = grid()
    start = start_rows(y, 0.04, trials=20, bins=4, seed=0)
    found = pool_search(x, y, start, picks=120, batch=batch)
    assert (found == y.argmax()).any(axis=1).all()
    # In random order it is half of the pool.
    assert seen(found, start).mean() < most * len(y)
    order = np.concatenate([start, found], axis=1)
    assert all(len(set(row[row >= 0])) == (row >= 0).sum() for row in order)


def test_a_start_is_even_over_bins_without_the_best_row():
    y = np.arange(100.0)
    start = start_rows(y, 0.09, trials=50, bins=5, seed=3)
    assert start.shape == (50, 9)
    assert not (start == 99).any()
    assert all(len(set(row)) == 9 for row in start)
    counts = np.stack([np.bincount(row // 20, minlength=5) for row in start])
    assert set(counts.ravel()) == {1, 2}
    assert counts.mean(axis=0) == pytest.approx(1.8, abs=0.2)
    np.testing.assert_array_equal(start, start_rows(y, 0.09, trials=50, bins=5, seed=3))
    assert (start != start_rows(y, 0.09, trials=50, bins=5, seed=4)).any()


def hidden():
    """A pool whose best row lies among low labels, rows to start from, and two sets of labels.

    The labels differ in rows that neither start the search nor improve on its start.
    """
    x, y = grid()
    start = start_rows(y, 0.1, trials=1, bins=4, seed=0)
    low = start[0, y[start[0]].argmin()]
    near = np.argsort(((x - x[low]) ** 2).sum(1))
    y[next(k for k in near if k not in start)] = 10.0
    lowered = np.random.default_rng(0).exponential(1, len(y)) * (y < y[start].max())
    lowered[start] = 0.0
    return x, (y, y - lowered), start


def test_published_labels_count_one_pick_after_a_refit():
    x, labels, start = hidden()
    one, other = (pool_search(x, y, start, picks=24, settings=PUBLISHED)[0] for y in labels)
    # An untrained process serves the first pick, that of the start rows the next ten.
    assert (one[:12] >= 0).all()
    np.testing.assert_array_equal(one[:11], other[:11])
    assert (one[11:] != other[11:]).any()


@pytest.mark.parametrize("batch", [1, 3])
def test_otherwise_labels_count_at_once_but_not_inside_a_batch(batch):
    x, labels, start = hidden()
    given = {"picks": 15, "batch": batch, "refit": 100}
    one, other = (pool_search(x, y, start, **given)[0] for y in labels)
    np.testing.assert_array_equal(one[:batch], other[:batch])
    assert (one != other).any()
    late = replace(DEFAULT_SETTINGS, condition_at_once=False)
    one, other = (pool_search(x, y, start, **given, settings=late)[0] for y in labels)
    np.testing.assert_array_equal(one, other)


def test_a_ranking_is_the_order_of_one_mean():
    x, y = grid(8)
    start = start_rows(y, 0.1, trials=3, bins=3, seed=0)
    found = pool_search(x, y, start, picks=20, settings=RANKING)
    between, cross = (distances(x[start], to) for to in (x[start], x[None].repeat(3, 0)))
    labels = torch.from_numpy(y[start])
    mean, _ = gaussian_process.posterior(gaussian_process.fit(between, labels), between, labels, cross)
    for row, first, value in zip(found, start, mean.numpy(), strict=True):
        value[first] = -np.inf
        picked = row[row >= 0]
        np.testing.assert_array_equal(picked, np.argsort(-value)[: len(picked)])


def test_the_search_ends_with_the_batch_that_has_the_best_row():
    x, y = grid(8)
    start = start_rows(y, 0.1, trials=8, bins=3, seed=0)
    for batch in (1, 5):
        found = pool_search(x, y, start, picks=40, batch=batch)
        place = (found == y.argmax()).argmax(axis=1)
        np.testing.assert_array_equal((found >= 0).sum(axis=1), (place // batch + 1) * batch)


def test_trials_take_views_in_turn_and_are_independent(monkeypatch):
    x, y = grid(8)
    views = np.stack([x, np.random.default_rng(0).permutation(x)])
    start = start_rows(y, 0.1, trials=5, bins=3, seed=0)
    both = pool_search(views, y, start, picks=20, seed=7)
    for k in range(2):
        np.testing.assert_array_equal(both[k::2], pool_search(views[k], y, start, picks=20, seed=7)[k::2])
    monkeypatch.setattr(expected_improvement, "_NUMBERS", 1)
    np.testing.assert_array_equal(both, pool_search(views, y, start, picks=20, seed=7))


def test_rows_of_equal_score_come_in_an_order_of_their_seed():
    x, y = np.zeros((30, 1)), np.arange(30.0) % 7
    start = start_rows(y, 0.1, trials=4, bins=2, seed=0)
    runs = [pool_search(x, y, start, picks=10, seed=seed) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (runs[0] != runs[2]).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.full((9, 1), np.nan)}, "inputs of the pool have values that are not finite"),
        ({"y": np.r_[np.inf, np.zeros(8)]}, "labels of the pool have values that are not finite"),
        ({"y": np.arange(8.0)}, "9 rows in 1 views, and 8 labels"),
        ({"picks": 8}, "8 picks, more than the 7 rows that are not in the start"),
    ],
)
def test_what_cannot_be_searched_is_refused(change, message):
    given = {"x": np.arange(9.0)[:, None], "y": np.arange(9.0), "start": np.array([[0, 1]]), "picks": 3}
    with pytest.raises(InputError, match=message):
        pool_search(**(given | change))


@pytest.mark.parametrize("share", [0.01, 0.99])
def test_a_start_of_no_row_or_all_rows_is_refused(share):
    with pytest.raises(InputError, match="start"):
        start_rows(np.arange(20.0), share, trials=2, bins=2, seed=0)
