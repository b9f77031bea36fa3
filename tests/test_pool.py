"""Search in a pool: the process is the textbook's, labels count when they should, costs are counted right."""

from __future__ import annotations

import re
from dataclasses import replace

import factories
import numpy as np
import pandas as pd
import pytest
import torch
from report_text import section_text
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from nestmat import tables
from nestmat.config.loading import load_study, study_from
from nestmat.data import published
from nestmat.errors import InputError
from nestmat.evaluation import pool as pools
from nestmat.labels.scales import Labels
from nestmat.paths import ROOT
from nestmat.plan.tables import representations
from nestmat.report.registry import SECTIONS
from nestmat.report.source import Source
from nestmat.search.pool import expected_improvement, gaussian_process
from nestmat.search.pool.expected_improvement import (
    DEFAULT_SETTINGS,
    PUBLISHED,
    RANKING,
    pool_search,
    start_rows,
)
from nestmat.search.pool.gaussian_process import Hyperparameters
from nestmat.search.pool.trials import ORDER, POOL, PoolTrials, describe, search_pool
from nestmat.training.scale_data import ScaleData

torch.set_num_threads(1)


def rows(n=14, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(2, n, 3))
    return x, np.sin(2 * x[..., 0]) + x[..., 1] ** 2


def distances(a, b):
    return torch.cdist(torch.from_numpy(a), torch.from_numpy(b))


HYPER = Hyperparameters(*torch.tensor([[0.3, -1.0], [1.7, 0.6], [0.8, 2.1], [0.05, 0.4]]).double())


def peers(x, y):
    """The same two processes as scikit-learn has them."""
    for k, (mean, variance, length, noise) in enumerate(zip(*(v.tolist() for v in HYPER), strict=True)):
        kernel = ConstantKernel(variance) * Matern(length, nu=2.5) + WhiteKernel(noise)
        peer = GaussianProcessRegressor(kernel, alpha=0.0, optimizer=None)
        yield peer.fit(x[k], y[k] - mean), mean, noise


def test_the_marginal_likelihood_is_that_of_scikit_learn():
    x, y = rows()
    found = gaussian_process.log_likelihood(HYPER, distances(x, x), torch.from_numpy(y))
    wanted = [peer.log_marginal_likelihood_value_ for peer, *_ in peers(x, y)]
    np.testing.assert_allclose(found, wanted, rtol=1e-10)


def test_the_posterior_is_that_of_scikit_learn_without_the_noise():
    x, y = rows()
    new = rows(9, seed=1)[0]
    mean, std = gaussian_process.posterior(HYPER, distances(x, x), torch.from_numpy(y), distances(x, new))
    for k, (peer, offset, noise) in enumerate(peers(x, y)):
        centre, spread = peer.predict(new[k], return_std=True)
        np.testing.assert_allclose(mean[k], centre + offset, rtol=1e-8)
        np.testing.assert_allclose(std[k] ** 2, spread**2 - noise, rtol=1e-8)


def test_training_raises_the_likelihood_and_knows_no_unit():
    x, y = rows(30)
    distance, y = distances(x, x), torch.from_numpy(y)
    untrained = Hyperparameters.of(torch.zeros(4, 2).double())
    found = gaussian_process.fit(distance, y, standardise=False)
    assert (
        gaussian_process.log_likelihood(found, distance, y)
        > gaussian_process.log_likelihood(untrained, distance, y) + 1
    ).all()
    one, other = gaussian_process.fit(distance, y), gaussian_process.fit(distance, 5 + 100 * y)
    torch.testing.assert_close(other.mean, 5 + 100 * one.mean)
    torch.testing.assert_close(other.variance, 1e4 * one.variance)
    torch.testing.assert_close(other.noise, 1e4 * one.noise)
    torch.testing.assert_close(other.length, one.length)


@pytest.mark.parametrize(("mean", "std", "best"), [(0.0, 1.0, 0.5), (3.0, 0.2, 1.0), (-1.0, 2.0, 4.0)])
def test_expected_improvement_is_the_integral(mean, std, best):
    found = expected_improvement.expected_improvement(*torch.tensor([mean, std, best]).double())
    wanted, _ = quad(lambda f: (f - best) * norm.pdf(f, mean, std), best, mean + 12 * std, epsabs=1e-13)
    assert float(found) == pytest.approx(max(wanted, 0.0), rel=1e-6)


# the search


def grid(side=14):
    """A smooth hill with a smaller one beside it, on a grid."""
    x = np.stack(np.meshgrid(*[np.linspace(-1, 1, side)] * 2), axis=-1).reshape(-1, 2)
    hill = np.exp(-3 * ((x - [0.45, -0.3]) ** 2).sum(1))
    return 2 * x, hill + 0.5 * np.exp(-6 * ((x + 0.6) ** 2).sum(1))


def seen(found, start):
    return (found >= 0).sum(axis=1) + start.shape[1]


@pytest.mark.parametrize(("batch", "most"), [(1, 0.3), (4, 0.35)])
def test_the_best_row_of_a_smooth_pool_is_found_long_before_random_order_finds_it(batch, most):
    x, y = grid()
    start = start_rows(y, 0.04, trials=20, bins=4, seed=0)
    found = pool_search(x, y, start, picks=120, batch=batch)
    assert (found == y.argmax()).any(axis=1).all()
    # In random order it is half of the pool.
    assert seen(found, start).mean() < most * len(y)
    order = np.concatenate([start, found], axis=1)
    assert all(len(set(row[row >= 0])) == (row >= 0).sum() for row in order)


def test_the_best_row_is_not_there_at_the_start_and_bins_are_even():
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


def test_as_published_labels_count_only_at_a_refit_one_pick_late():
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


def test_trials_take_the_views_in_turn_and_do_not_know_of_each_other(monkeypatch):
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


# the tables


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    root = tmp_path_factory.mktemp("results") / "toy_devices"
    factories.write_results(root)
    return root


def search(results, folder, **changes):
    latents = changes.pop("latents", {})
    given = factories.study().scales["gap"].pool.model_dump() | {"trials": 4, **changes}
    given["representations"] = {"descriptors": ["descriptors"]} | changes.get("representations", {})
    paths = (results / "features/gap.parquet", results / "data/gaps.parquet")
    outputs = (folder / "pool.parquet", folder / "order.parquet")
    return search_pool(*paths, *outputs, scale="gap", latents=latents, trials=PoolTrials(**given))


def test_the_tables_say_what_was_seen_until_the_best_row_was_found(results):
    pool, order = (tables.read(results / f"pool/gap{end}.parquet") for end in ("", ".order"))
    assert list(pool) == list(POOL)
    assert list(order) == list(ORDER)
    facts = tables.provenance(results / "pool/gap.parquet")
    gaps = tables.read(results / "data/gaps.parquet")
    [best] = facts["best"]
    assert best["Gap"] == gaps["Gap"].max()
    assert best["formula"] == gaps.loc[gaps["Gap"].idxmax(), "formula"]
    keys = ["representation", "way", "batch", "trial"]
    by_search = order.groupby(keys)
    of = pool.set_index(keys).sort_index()
    assert (by_search.size() == of["seen"]).all()
    assert (by_search["value"].max().eq(best["Gap"]) == of["found"]).all()
    assert (by_search["row_id"].nunique() == of["seen"]).all()
    np.testing.assert_allclose(of["share"], of["seen"] / len(gaps))
    assert (of["start"] == 6).all()
    assert (of.loc[~of["found"], "seen"] == 26).all()
    # The same start rows in every way of searching.
    starts = order[order["place"] < 6].groupby(["trial", "place"])["row_id"].nunique()
    assert (starts == 1).all()
    assert of.loc["random", "found"].all()
    views = pool[pool["representation"] == "latents"]
    assert (views["view"] == views["trial"] % 2).all()


def test_searching_again_gives_the_same_tables_and_the_least_can_be_sought(results, tmp_path):
    one, other = (search(results, tmp_path) for _ in range(2))
    pd.testing.assert_frame_equal(one, other)
    search(results, tmp_path, goal="minimise")
    gaps = tables.read(results / "data/gaps.parquet")["Gap"]
    facts = tables.provenance(tmp_path / "pool.parquet")
    assert {row["Gap"] for row in facts["best"]} == {gaps.min()}
    order = tables.read(tmp_path / "order.parquet")
    assert (order[order["place"] < 6]["value"] > gaps.min()).all()


def test_rows_are_described_in_one_unit_with_a_view_for_each_member(results):
    data = ScaleData.read(results / "features/gap.parquet")
    path = results / "latents/gap/strict/nestedae.parquet"
    x = describe(data, ["descriptors"], path)
    assert x.shape == (2, 120, 5)
    np.testing.assert_allclose(x.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(x.std(axis=1), 1)
    np.testing.assert_array_equal(x[0, :, :3], x[1, :, :3])
    latents = tables.read(path, seed=1).set_index("row_id").loc[data.row_id, "z1"]
    assert np.corrcoef(x[1, :, 4], latents)[0, 1] == pytest.approx(1)


def test_a_row_without_latents_is_refused(results, tmp_path):
    path = results / "latents/gap/strict/nestedae.parquet"
    frame = tables.read(path)
    tables.write(tmp_path / "latents.parquet", frame[frame["row_id"] != 7], tables.schema(path))
    with pytest.raises(InputError, match="has no latents of members"):
        search(results, tmp_path, representations={"z": []}, latents={"z": tmp_path / "latents.parquet"})


# what is said of them


def table(**shares):
    return pd.concat(
        pd.DataFrame(
            {
                "representation": name,
                "way": "sound",
                "batch": 1,
                "trial": np.arange(len(values)),
                "view": np.arange(len(values)) % 2,
                "start": 10,
                "share": values,
                "found": True,
            }
        )
        for name, values in shares.items()
    )


def test_the_random_order_costs_what_the_closed_form_says(results, tmp_path):
    pool = search(results, tmp_path, trials=2000, picks=1, batches=[1])
    facts = tables.provenance(tmp_path / "pool.parquet")
    random = pools.searches_of(pool, "random", "random")["share"]
    assert pools.random_share(pool, facts) == pytest.approx(random.mean(), abs=4 * random.std() / 2000**0.5)


def test_differences_are_paired_by_trial_and_members_may_disagree():
    random = np.random.default_rng(0)
    base = random.uniform(0.1, 0.5, 60)
    less, mixed = base - 0.05 + random.normal(0, 0.02, 60), base + np.tile([0.04, -0.06], 30)
    searches = table(first=base, less=less, mixed=mixed)
    reference = pools.searches_of(searches, "first", "sound")
    cost = pools.cost(pools.searches_of(searches, "less", "sound").iloc[::-1], reference)
    assert cost.mean == pytest.approx((less - base).mean())
    assert cost.low < -0.05 < cost.high < -0.03
    assert section_text("search", {}, "saving", cost).endswith("each member saves labels")
    cost = pools.cost(pools.searches_of(searches, "mixed", "sound"), reference)
    assert cost.members == pytest.approx((0.04, -0.06))
    assert not cost.agree
    cost = pools.cost(reference, reference)
    assert (cost.mean, cost.low, cost.high) == (0, 0, 0)
    assert section_text("search", {}, "saving", cost).endswith("no difference is shown")


def test_the_report_says_what_was_found_and_what_models_had_seen(results):
    source = Source(factories.study(), results, {"gap": factories.published()})
    found = SECTIONS["search"]().numbers(source, "gap")
    text = section_text("search", found, "summary", "Gap")
    gaps = tables.read(results / "data/gaps.parquet")["Gap"]
    assert f"is {gaps.max():.3f} eV" in text
    assert "(published 49.3" in text
    assert re.search(r"Part of the pool seen, as published\. Descriptors [^;]*\(published 14\.7", text)
    against = "Descriptions {}, against descriptors."
    assert f"{against.format('trained on the labels that are sought')} As published: NestedAE latents" in text
    assert against.format("that saw no label") not in text
    assert section_text("search", found, "summary", "other") == ""
    pool = tables.read(results / "pool/gap.parquet")
    searches = pools.searches_of(pool, "latents", "sound", 4)
    rows = {(of["label"], row["way"]): row for of in found["table"] for row in of["rows"]}
    assert rows["NestedAE latents", "batches of 4"]["share"].mean() == searches["share"].mean()
    assert rows["NestedAE latents", "as published"]["published"] == [13.98]
    assert [row["all_found"] for row in rows.values()] == [row["found"] == 1 for row in rows.values()]
    assert rows["Descriptors", "one ranking"]["published"] == []
    assert rows["Random", "random order"]["published"][:1] == [49.3]
    assert {of["label"]: of["trained_on_labels"] for of in found["table"]} == {
        "Descriptors": False,
        "NestedAE latents": True,
        "Random": False,
    }


def test_a_search_that_missed_the_best_row_is_counted_and_told():
    missed = table(first=np.array([0.2, 0.4])).assign(found=[True, False])
    for shares, start in ((missed, "At least 30.0 %"), (missed.assign(found=True), "30.0 %")):
        costs = [{"label": "", "share": shares["share"].mean(), "all_found": shares["found"].all()}]
        text = section_text("search", {}, "mean_shares", [{**costs[0], "published": None}])
        assert text.lower().startswith(start.lower())


def test_published_shares_stand_under_the_representations_they_are_for():
    study = load_study(ROOT / "resources/studies/nestedae_binding.yaml")
    frame = published.for_scale(study, "binding")
    means = frame[frame["metric"] == "pool_mean"].set_index("model")["value"]
    assert means.to_dict() == {"descriptors": 14.74, "nestedae": 13.98, "nestedhd": 12.55, "random": 49.3}
    assert not frame[frame["metric"] == "mae"]["model"].isin(["descriptors", "random"]).any()
    labels = Labels(study, "binding")
    assert labels.representation("descriptors") == "Descriptors"


# the configuration


def test_a_study_knows_which_models_were_trained_on_the_labels_that_are_sought():
    study = load_study(ROOT / "resources/studies/nestedae_binding.yaml")
    names = study.scales["binding"].pool.representations
    saw = {name for name in names if study.trained_on_labels("binding", name)}
    assert saw == {"nestedae", "nestedhd"}
    latents = representations(study).query("scale == 'binding'")
    assert dict(zip(latents["name"], latents["path"].str.replace("<results>", "results/x"), strict=True)) == {
        "nestedae": "results/x/latents/binding/published_quintiles/nestedae.parquet",
        "nestedhd": "results/x/latents/binding/published_quintiles/nestedhd.parquet",
        "gap_latents": "results/x/propagated/gap__binding/strict/nestedae.parquet",
        "autoencoder": "results/x/latents/binding/strict/autoencoder.parquet",
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": "Decomp"}, r"scales.gap.pool.target: 'Decomp' is not one of \['Gap'\]"),
        ({"representations": {"x": {"blocks": ["sites"]}}}, r"pool.representations.x.blocks: 'sites'"),
        (
            {"representations": {"x": {"latents": {"scale": "efficiency", "model": "nestmat"}}}},
            r"pool.representations.x.latents.scale: 'efficiency' is not one of \['gap'\]",
        ),
        (
            {"representations": {"x": {"latents": {"scale": "gap", "model": "ridge"}}}},
            r"representations.x.latents.model: 'ridge' is not one of",
        ),
        (
            {
                "representations": {
                    "x": {"latents": {"scale": "gap", "model": "nestmat", "protocol": "cells"}}
                }
            },
            r"representations.x.latents.protocol: 'cells' is not one of",
        ),
        ({"representations": {"x": {}}}, "give blocks, latents or both"),
        ({"representations": {"random": {"blocks": ["descriptors"]}}}, "is the name of the random order"),
        ({"batches": [0]}, "batches: give whole numbers from 1, each once"),
        ({"start": 1.5}, "scales.gap.pool.start"),
    ],
)
def test_a_pool_that_cannot_be_searched_is_refused(change, message):
    content = factories.configuration()
    content["scales"]["gap"]["pool"].update(change)
    with pytest.raises(InputError, match=message):
        study_from(content)
