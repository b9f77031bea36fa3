from __future__ import annotations

from dataclasses import fields, replace
from itertools import permutations
from math import factorial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nestmat import tables
from nestmat.errors import InputError
from nestmat.interpretation import association, attribution, shapley
from nestmat.interpretation.alignment import align_latents, standardised
from nestmat.interpretation.correlations import CORRELATIONS, correlation_table
from nestmat.interpretation.embed import EMBEDDING, embed_latents
from nestmat.interpretation.embedding import pca_map, umap_map
from nestmat.interpretation.interpret import Effort, interpret_scale
from nestmat.interpretation.members import Explained, InterpretedModel, players
from nestmat.interpretation.shapley import SHAPLEY, shapley_table
from nestmat.models.keys import ModelKey
from nestmat.models.specification import specification_from
from nestmat.scales.train import LATENT_KEYS, TrainingJob, train_scale
from nestmat.tables import Column


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


# One trained scale

SPECIFICATION = {
    "inputs": ["descriptors", "layer", "fine"],
    "encoder": {"latents": 3, "activation": "identity", "latent_activation": "identity"},
    "heads": {"Gap": {"loss": "mse"}, "layer": {"loss": "cross_entropy", "weight": 0.1}},
    "training": {"epochs": 40, "learning_rate": 0.02, "seeds": 2},
}
ROWS, FOLDS, LAYERS = 60, 3, ["layer=a", "layer=b", "layer=c"]
ORDERS = {-1: [0, 1, 2], 0: [0, 1, 2], 1: [2, 0, 1], 2: [1, 2, 0]}


def write_scale(folder):
    """Features of two blocks, folds, and latents of a finer scale in another order in each fold."""
    rng = np.random.default_rng(0)
    values = {name: rng.normal(size=ROWS) for name in ("a", "b", "c")}
    level = rng.integers(0, 3, ROWS)
    values |= {name: (level == i).astype(float) for i, name in enumerate(LAYERS)}
    values["Gap"] = 1.5 + values["a"] - 0.5 * values["b"] + 0.1 * rng.normal(size=ROWS)
    names = [f"m{i}" for i in range(ROWS)]
    keys = {"row_id": np.arange(ROWS), "formula": names, "material": names, "group": names}
    blocks = {"descriptors": ["a", "b", "c"], "layer": LAYERS}
    schema = {name: Column("int64" if name == "row_id" else "string") for name in keys}
    for block, names in blocks.items():
        schema |= {name: Column("float64", role="feature", block=block) for name in names}
    schema["Gap"] = Column("float64", unit="eV", role="target")
    frame = pd.DataFrame({**keys, **values})
    kinds = {"descriptors": "continuous", "layer": "categorical"}
    about = {"blocks": {name: {"kind": kinds[name], "columns": names} for name, names in blocks.items()}}
    tables.write(folder / "features.parquet", frame, schema, about)
    fold = rng.permutation(np.arange(ROWS) % FOLDS).astype(np.int32)
    folds = {
        "protocol": "strict",
        "repeat": 0,
        "row_id": np.arange(ROWS),
        "material": frame["material"],
        "fold": fold,
        "role": "labelled",
        "together": -1,
    }
    tables.write(folder / "folds.parquet", pd.DataFrame(folds), tables.FOLDS)

    fine, parts = rng.normal(size=(ROWS, 3)), []
    for member, (left_out, order) in enumerate(ORDERS.items()):
        part = pd.DataFrame((fine * [1, -1, 1])[:, order], columns=["z0", "z1", "z2"])
        where = {"member": member, "repeat": 0, "fold": left_out, "inner": -1, "seed": 0}
        parts.append(part.assign(**where, row_id=np.arange(ROWS)))
    latents = {name: Column("float32", role="latent") for name in ("z0", "z1", "z2")}
    tables.write(
        folder / "fine.parquet", pd.concat(parts), {**LATENT_KEYS, **latents}, {"protocol": "strict"}
    )
    outputs = {name: folder / f"{name}.parquet" for name in ("history", "predictions", "latents")}
    train_scale(
        TrainingJob(
            key=ModelKey("toy", "strict", "toy"),
            specification=specification_from(SPECIFICATION),
            features=folder / "features.parquet",
            folds=folder / "folds.parquet",
            weights=folder / "toy.safetensors",
            card=folder / "toy.json",
            parents={"fine": folder / "fine.parquet"},
            **outputs,
        )
    )


def model_in(folder):
    """Files of the trained model."""
    weights, features, latents = (
        folder / name for name in ("toy.safetensors", "features.parquet", "latents.parquet")
    )
    return InterpretedModel(weights, features, latents, parents={"fine": folder / "fine.parquet"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scale")
    write_scale(folder)
    return folder


@pytest.fixture(scope="module")
def explained(folder):
    return Explained.read(model_in(folder))


def test_members_left_a_fold_out(explained):
    assert explained.members[["fold", "seed"]].to_numpy().tolist() == [
        [f, s] for f in range(3) for s in range(2)
    ]
    assert explained.latents.shape == (6, ROWS, 3)
    assert explained.covered.all()
    np.testing.assert_array_equal((~explained.train).sum(axis=0), 2)


def test_members_of_a_fold_without_rows_are_not_explained(folder, tmp_path):
    latents = tables.read(folder / "latents.parquet")
    latents.loc[latents["fold"] == 2, "split"] = "train"
    path = tmp_path / "latents.parquet"
    tables.write(path, latents, tables.schema(folder / "latents.parquet"))
    found = Explained.read(replace(model_in(folder), latents=path))
    assert found.members[["fold", "seed"]].to_numpy().tolist() == [[f, s] for f in range(2) for s in range(2)]
    assert np.isfinite(shapley_table(found, {}, background=4, seed=0)["mean_abs"]).all()


def test_member_networks_give_the_stored_latents_and_predictions(folder, explained):
    inputs = explained.inputs()
    stored = tables.read(folder / "predictions.parquet").query("inner == -1 and fold >= 0 and seed >= 0")
    for m in range(6):
        network = explained.network(m)
        found = network.forward(inputs[m])
        latents = explained.latents[m]
        np.testing.assert_allclose(found[:, :3], latents[:, explained.alignment.order[m]], atol=1e-5)
        np.testing.assert_allclose(network.head(latents.astype(np.float32))[:, 0], found[:, 3], atol=1e-5)
        key = explained.members.iloc[m]
        mine = stored.query(f"fold == {key.fold} and seed == {key.seed}").set_index("row_id")["mean"]
        np.testing.assert_allclose(found[:, 3], mine.loc[explained.data.row_id], atol=1e-5)


def test_latents_of_parents_are_matched(explained):
    columns, alignment = explained.parents["fine"]
    assert columns == [0, 1, 2]
    np.testing.assert_allclose(alignment.stability, 1.0, atol=1e-6)
    order = explained.input_order()
    np.testing.assert_array_equal(order[:, :6], np.tile(np.arange(6), (6, 1)))
    matched = np.take_along_axis(explained.inputs(), order[:, None], axis=2)[:, :, 6:]
    for j in range(3):
        r = np.corrcoef(matched[:, :, j])
        np.testing.assert_allclose(np.abs(r), 1.0, atol=1e-5)


def test_correlations_are_those_of_rows_left_out(folder, explained):
    found = correlation_table(explained, permutations=99, seed=0)
    assert set(found.columns) == set(CORRELATIONS)
    assert len(found) == 3 * (3 * (6 + 1 + 3) + 3)
    assert set(found.query("kind == 'latent'")[["latent", "other"]].agg("-".join, axis=1)) == {
        "z0-z1",
        "z0-z2",
        "z1-z2",
    }
    aligned = explained.alignment.apply(explained.latents)
    by_seed = []
    for seed in (0, 1):
        z = np.empty(ROWS)
        for m in np.flatnonzero(explained.members["seed"] == seed):
            train = explained.train[m]
            z[~train] = ((aligned[m, :, 0] - aligned[m, train, 0].mean()) / aligned[m, train, 0].std())[
                ~train
            ]
        by_seed.append(np.corrcoef(z, explained.data.y["Gap"])[0, 1])
    mine = found.query("latent == 'z0' and other == 'Gap' and method == 'pearson'").iloc[0]
    assert mine["value"] == pytest.approx(np.mean(by_seed), abs=1e-9)
    assert mine["kind"] == "target"
    assert mine["stability"] == pytest.approx(explained.alignment.stability[0])
    for _, family in found.groupby(["kind", "method"]):
        np.testing.assert_allclose(family["q"], stats.false_discovery_control(family["p"]))
    assert {"fine z0", "fine z1", "fine z2"} <= set(found["other"])


def test_shapley_values_of_a_linear_network(explained):
    found = shapley_table(explained, {"fine": ["fine"]}, background=10_000, seed=0).set_index(
        ["function", "input"]
    )
    assert found.index.get_level_values("input").unique().tolist() == [
        "fine",
        "a",
        "b",
        "c",
        "layer",
        "z0",
        "z1",
        "z2",
    ]
    assert found.loc[("target:Gap", "a"), "unit"] == "eV"
    assert found.loc[("latent:z0", "a"), "unit"] == ""
    assert set(found["method"]) == {"exact"}

    inputs, ensemble, own = explained.inputs().astype(np.float64), [], []
    for fold in range(3):
        phi = []
        for m in np.flatnonzero(explained.members["fold"] == fold):
            train, network = explained.train[m], explained.network(m)
            unit = np.zeros((2, 9), dtype=np.float32)
            unit[1, 0] = 1.0
            slope = np.diff(network.forward(unit)[:, 3])[0]
            phi.append(slope * (inputs[m, ~train, 0] - inputs[m, train, 0].mean()))
            own.append(np.abs(phi[-1]).mean())
        ensemble.append(np.abs(np.mean(phi, axis=0)))
    mine = found.loc[("target:Gap", "a")]
    assert mine["mean_abs"] == pytest.approx(np.concatenate(ensemble).mean(), rel=1e-4)
    assert mine["std"] == pytest.approx(np.std(own, ddof=1), rel=1e-4)
    assert mine["mean_abs"] > 3 * found.loc[("target:Gap", "c"), "mean_abs"]


def test_shapley_rows_are_drawn_when_all_would_take_long(explained, monkeypatch, caplog):
    monkeypatch.setattr(shapley, "EVALUATIONS", 2**7 * 40 * 2 * 12)
    with caplog.at_level("INFO"):
        shapley_table(explained, {}, background=64, seed=0)
    # Twelve rows for seven players; latents are three players, for which the budget covers all rows.
    assert [record.getMessage() for record in caplog.records] == [
        "7 inputs explained at 12 rows",
        "3 inputs explained at 60 rows",
    ]


def test_many_inputs_are_explained_by_permutation(explained, monkeypatch):
    monkeypatch.setattr(shapley, "MAX_PLAYERS", 4)
    found = shapley_table(explained, {}, background=64, seed=0)
    exact = found["function"].str.startswith("head:")
    assert set(found[exact]["method"]) == {"exact"}
    assert set(found[~exact]["method"]) == {"permutation"}
    gap = found[found["function"] == "target:Gap"].set_index("input")["mean_abs"]
    assert gap.idxmax() == "a"


def test_interpret_scale_writes_the_same_again(folder, tmp_path):
    written = []
    for run in ("first", "second"):
        outputs = {name: tmp_path / run / f"{name}.parquet" for name in ("correlations", "shapley")}
        interpret_scale(model_in(folder), Effort(permutations=99, background=8), outputs)
        written.append([path.read_bytes() for path in outputs.values()])
    assert written[0] == written[1]
    assert tables.schema(outputs["correlations"]) == dict(CORRELATIONS)
    assert tables.schema(outputs["shapley"]) == dict(SHAPLEY)
    assert tables.provenance(outputs["shapley"])["model"] == "toy"


def test_a_scale_without_targets_explains_its_latents(explained):
    class Unsupervised(Explained):
        targets = []

    data = replace(explained.data, y={})
    bare = Unsupervised(**{f.name: getattr(explained, f.name) for f in fields(explained)} | {"data": data})
    found = shapley_table(bare, {}, background=4, seed=0)
    assert set(found["function"]) == {"latent:z0", "latent:z1", "latent:z2"}
    assert set(correlation_table(bare, 99, 0)["kind"]) == {"descriptor", "latent"}


def test_interpretation_names_what_is_missing(folder):
    with pytest.raises(InputError, match="latents of the parent 'fine'"):
        Explained.read(replace(model_in(folder), parents={}))


def test_players_are_groups_classes_and_single_columns():
    columns, kinds = {"d": ["a", "b"], "s": ["s=1", "s=2"]}, {"d": "continuous", "s": "categorical"}
    assert players(columns, kinds, {}) == {"a": [0], "b": [1], "s": [2, 3]}
    assert players(columns, kinds, {"g": ["b", "s"]}) == {"g": [1, 2, 3], "a": [0]}
    twice = {"d": ["a", "b"], "e": ["b"]}
    assert players(twice, dict.fromkeys(twice, "continuous"), {}) == {"a": [0], "b": [1, 2]}
    for groups, message in (
        ({"g": ["x"]}, "not an input"),
        ({"g": ["a"], "h": ["d"]}, "group 'g' as well"),
        ({"g": []}, "holds no input"),
        ({"a": ["b"]}, "name of an input outside"),
    ):
        with pytest.raises(InputError, match=message):
            players(columns, kinds, groups)


@pytest.mark.slow
def test_embedding_of_the_member_of_all_rows(folder, tmp_path):
    embed_latents(folder / "latents.parquet", folder / "features.parquet", tmp_path / "maps.parquet")
    found = tables.read(tmp_path / "maps.parquet")
    assert tables.schema(tmp_path / "maps.parquet") == dict(EMBEDDING)
    assert found.groupby("method").size().to_dict() == {"pca": ROWS, "umap": ROWS}
    assert tables.provenance(tmp_path / "maps.parquet")["member"]["fold"] == -1
    features = tables.read(folder / "features.parquet").set_index("row_id")["Gap"]
    np.testing.assert_array_equal(found["value"], found["row_id"].map(features))
