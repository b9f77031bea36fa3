"""Composition and class in the latents of a small semi-supervised model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from nestmat import tables
from nestmat.errors import InputError
from nestmat.evaluation.metrics import PROBE, PROBE_WHITENED, TOTAL_VARIATION
from nestmat.interpretation.disentanglement import (
    LATENT_ERRORS,
    measure_latents,
    probe,
    total_variation,
    whiten,
)
from nestmat.training.checkpoints import Trained
from support.alloy_tables import NAMES


def test_total_variation_counts_atoms_that_are_wrong():
    true = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.2, 0.3, 0.5]])
    given = np.array([[0.5, 0.3, 0.2], [0.0, 1.0, 0.0], [0.2, 0.3, 0.5]])
    np.testing.assert_allclose(total_variation(true, given), [20, 100, 0])


def test_measured_errors_are_those_of_encoding_and_decoding(trained):
    model, errors = Trained.load(trained / "m2.safetensors"), tables.read(trained / "errors.parquet")
    assert tables.schema(trained / "errors.parquet") == dict(LATENT_ERRORS)
    features = tables.read(trained / "alloys.parquet").set_index("row_id")
    latents = tables.read(trained / "latents.parquet")
    assert set(errors["split"]) == {"train", "unlabelled", "validation"}
    for (repeat, seed), mine in errors.groupby(["repeat", "seed"]):
        [member] = model.members.query(f"repeat == {repeat} and fold == 0 and seed == {seed}").index
        rows = latents[latents["member"] == member].set_index("row_id").loc[mine["row_id"]]
        z = torch.from_numpy(rows[["z0", "z1", "z2", "z3"]].to_numpy(np.float32))[None]
        net = model.network(np.array([member]))
        with torch.no_grad():
            given = net.decode(z)["shares"]
            likely = (z[..., 3:] >= 0.5).float()
            again = net.place(given, likely)
        true = features.loc[mine["row_id"], NAMES].to_numpy()
        wrong = 50 * np.abs(true - given[0].numpy()).sum(axis=1)
        np.testing.assert_allclose(mine["total_variation"], wrong, atol=1e-4)
        moved = (again - z)[0, :, :3].abs().mean(dim=1)
        np.testing.assert_allclose(mine["latent_error"], moved, atol=1e-5)
    assert errors["total_variation"].mean() < 20


def test_metrics_are_means_over_seeds_and_folds(trained):
    metrics, errors = tables.read(trained / "metrics.parquet"), tables.read(trained / "errors.parquet")
    assert tables.schema(trained / "metrics.parquet") == dict(tables.METRICS)
    assert set(metrics["seed"]) == {-1}
    mine = metrics[metrics["metric"] == TOTAL_VARIATION].set_index(["repeat", "fold", "split"])
    assert set(mine["target"]) == {"shares"}
    assert set(mine["unit"]) == {"at%"}
    expected = errors.groupby(["repeat", "split"])["total_variation"].mean()
    for (repeat, split), value in expected.items():
        assert mine.loc[(repeat, 0, split), "value"] == pytest.approx(value)
        assert mine.loc[(repeat, -1, split), "value"] == pytest.approx(value)
    told = metrics[metrics["metric"].isin([PROBE, PROBE_WHITENED])]
    assert set(told["target"]) == {"phase"}
    assert set(told["split"]) == {"train", "validation"}
    assert len(told) == 2 * 2 * 2 * 2
    assert not metrics.duplicated([c for c in metrics if c != "value"]).any()


def test_the_probe_finds_a_class_in_z_and_no_other():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 400).astype(float)
    train = np.arange(400) < 250
    blind = probe(rng.normal(size=(400, 3)), label, train, ~train)
    seeing = probe(rng.normal(size=(400, 3)) + 4 * label[:, None], label, train, ~train)
    for split in ("train", "validation"):
        assert abs(blind[split] - 0.5) < 0.12
        assert seeing[split] > 0.95


def test_whitening_finds_a_class_in_a_small_direction():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 400).astype(float)
    train = np.arange(400) < 250
    common = 50 * rng.normal(size=400)
    told = 4 * label + rng.normal(size=400)
    z = np.stack([common, common + told, np.zeros(400)], axis=1)
    assert probe(z, label, train, ~train)["validation"] < 0.65
    seen = whiten(z, train)
    assert seen.shape == (400, 2)
    np.testing.assert_allclose(np.cov(seen[train].T, bias=True), np.eye(2), atol=1e-8)
    assert probe(seen, label, train, ~train)["validation"] > 0.9


def test_a_probe_of_few_rows_says_what_it_can():
    z, label = np.arange(8.0)[:, None], np.array([0, 0, 0, 0, 0, 0, 0, 1.0])
    train = np.arange(8) < 7
    found = probe(z, label, train, ~train)
    assert found["validation"] == 0
    assert np.isnan(found["train"])
    assert np.isnan(probe(z, label, train, np.zeros(8, bool))["validation"])


def test_latents_of_other_rows_are_named(trained, tmp_path):
    features, schema = tables.read(trained / "alloys.parquet"), tables.schema(trained / "alloys.parquet")
    more = pd.concat([features, features.iloc[:1].assign(row_id=1000)])
    facts = tables.provenance(trained / "alloys.parquet")
    tables.write(tmp_path / "more.parquet", more, schema, facts)
    outputs = tmp_path / "metrics.parquet", tmp_path / "errors.parquet"
    with pytest.raises(InputError, match="lacks rows of the features"):
        measure_latents(
            trained / "m2.safetensors", tmp_path / "more.parquet", trained / "latents.parquet", *outputs
        )
