"""A table with a count and a skewed target, from the header to the report and new materials."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nestmat import cli, tables
from support.first_study import report_first_study

pytestmark = pytest.mark.slow


def choose_members(study, scale):
    boosted = {"kind": "xgboost", "inputs": ["descriptors"], "n_estimators": 60, "max_depth": 3}
    scale["baselines"] = {
        "extra_trees": scale["baselines"]["extra_trees"] | {"n_estimators": 40},
        "poisson": boosted | {"objective": "count:poisson"},
    }
    scale["recommended"]["stack"] = ["nestmat", "extra_trees"]
    study["tracking"] = "off"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("counts")
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1, 1, (2, 120))
    rate = 1e-7 * np.exp(4 * a + b + 0.1 * rng.normal(size=120))
    defects = rng.poisson(np.exp(1.5 + 1.2 * b))
    pd.DataFrame({"a": a, "b": b, "rate": rate, "defects": defects}).to_csv(folder / "mine.csv", index=False)
    targets = ["--target", "rate:S/cm", "--target", "defects:count"]
    report_first_study(folder, targets, choose_members, epochs=100)
    return folder


def test_positive_targets_are_predicted_positive_and_well(folder):
    metrics = tables.read(
        folder / "results/mine/metrics/materials.parquet", seed=-1, split="validation", fold=-1
    )
    value = metrics.set_index(["model", "target", "metric"])["value"]
    for target in ("rate", "defects"):
        network = tables.read(
            folder / "results/mine/predictions/materials/strict/nestmat.parquet", target=target, seed=-1
        )
        assert (network["mean"] > 0).all()
        assert (network["std"] > 0).all()
        assert value["nestmat", target, "r2"] > 0.5
    baselines = tables.read(
        folder / "results/mine/predictions/materials/strict/baselines.parquet", model="poisson"
    )
    assert (baselines["mean"] > 0).all()


def test_the_spread_of_a_count_is_that_of_its_distribution(folder):
    network = tables.read(
        folder / "results/mine/predictions/materials/strict/nestmat.parquet", target="defects", seed=0
    )
    np.testing.assert_allclose(network["std"], np.sqrt(network["mean"]), rtol=1e-4)


def test_new_materials_are_predicted_in_the_unit_of_the_target(folder, monkeypatch):
    monkeypatch.chdir(folder)
    pd.DataFrame({"a": [-0.8, 0.8], "b": 0.0}).to_csv("new.csv", index=False)
    arguments = ["--study", "mine.yaml", "--input", "new.csv", "--output", "o.parquet", "--long"]
    assert cli.main(["predict", *arguments]) == 0
    rate = tables.read("o.parquet", target="rate")["mean"].to_numpy()
    np.testing.assert_allclose(np.log(rate / 1e-7), [-3.2, 3.2], atol=1.0)
