from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from nestmat import tables
from nestmat.interpretation import shapley
from nestmat.interpretation.correlations import correlation_table
from nestmat.interpretation.members import Explained
from nestmat.interpretation.shapley import ATTRIBUTIONS, shapley_table


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


def test_a_scale_without_targets_explains_its_latents(explained):
    class Unsupervised(Explained):
        targets = []

    data = replace(explained.data, y={})
    bare = Unsupervised(**{f.name: getattr(explained, f.name) for f in fields(explained)} | {"data": data})
    found = shapley_table(bare, {}, background=4, seed=0)
    assert set(found["function"]) == {"latent:z0", "latent:z1", "latent:z2"}
    assert set(correlation_table(bare, 99, 0)["kind"]) == {"descriptor", "latent"}


def test_attributions_of_rows_explain_the_probability(trained, interpreted):
    assert tables.schema(trained / "attributions.parquet") == dict(ATTRIBUTIONS)
    assert set(interpreted["input"]) == {"shares", "size", "charge", "order"}
    assert set(interpreted["target"]) == {"phase"}
    # The classifier does not read the shares, and those of a block have no one level.
    shares = interpreted[interpreted["input"] == "shares"]
    assert shares["value"].abs().max() < 1e-12
    assert shares["level"].isna().all()
    others = interpreted[interpreted["input"] != "shares"]
    assert others["level"].between(0, 1).all()
    predicted = tables.read(trained / "predictions.parquet", repeat=0, fold=0, seed=-1, split="validation")
    sums = interpreted.groupby("row_id")["value"].sum()
    predicted = predicted.set_index("row_id")["mean"]
    # Sums are the probability less its mean over the background, which is the same for all rows.
    left = predicted - sums.loc[predicted.index]
    assert left.std() < 1e-5
    assert 0 < left.mean() < 1
