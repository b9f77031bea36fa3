"""Training of a scale: predictions, latents, and what its members have not seen."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from nestmat import tables
from nestmat.config.loading import study_from
from nestmat.errors import InputError
from nestmat.models.specification import Head
from nestmat.scales.propagate import propagate_latents
from nestmat.training.scale_data import ScaleData
from support.trained_scales import FOLDS, model, train, write_scale


def test_predictions_cover_every_member_once(chain):
    found = tables.read(chain / "fine.predictions.parquet")
    key = ["target", "row_id", "fold", "inner", "seed", "split"]
    assert not found.duplicated(key).any()
    truth = tables.read(chain / "fine.parquet").set_index("row_id")["fine_y"]
    np.testing.assert_array_equal(found["true"], truth.loc[found["row_id"]])
    validation = found[found["split"] == "validation"]
    assert (validation.groupby("seed")["row_id"].nunique() == 40).all()
    assert set(validation["seed"]) == {-1, 0, 1}
    inner = found[found["split"] == "inner"]
    assert set(inner["seed"]) == {-1}
    assert set(inner["fold"]) == set(range(FOLDS))
    assert set(found[found["fold"] == -1]["split"]) == {"train"}
    folds = tables.read(chain / "fine.folds.parquet").set_index("row_id")["fold"]
    assert (folds.loc[inner["row_id"]].to_numpy() == inner["inner"]).all()
    for fold, rows in inner.groupby("fold"):
        assert sorted(rows["row_id"]) == sorted(truth.index[folds.loc[truth.index] != fold])


def test_a_scale_without_targets_predicts_nothing_and_has_latents(tmp_path):
    write_scale(tmp_path, "fine", 12, lambda d, k: d[:, 0])
    train(tmp_path, "fine", replace(model("fine_y"), heads={"descriptors": Head()}))
    found = tables.read(tmp_path / "fine.predictions.parquet")
    assert found.empty
    assert list(found) == list(tables.PREDICTIONS)
    assert len(tables.read(tmp_path / "fine.latents.parquet")) == 2 * (FOLDS + 1) * 12


def test_reconstruction_is_that_of_rows_left_out(tmp_path):
    write_scale(tmp_path, "fine", 60, lambda d, k: d[:, 0])
    heads = {"descriptors": Head(), "layer": Head(loss="cross_entropy")}
    specification = model("fine_y", "layer", heads=heads, epochs=200)
    trained = train(tmp_path, "fine", specification, stacked=True)
    found = json.loads((tmp_path / "fine.json").read_text())["facts"]["reconstruction"]
    assert set(found) == set(heads)
    known = ((trained.members["fold"] >= 0) & (trained.members["inner"] == -1)).to_numpy()
    for block, values in found.items():
        assert [value is not None for value in values] == known.tolist(), block
        assert all(value <= 1 for value in values if value is not None)
    first = int(np.flatnonzero(known)[0])
    data = ScaleData.read(tmp_path / "fine.parquet")
    folds = tables.read(tmp_path / "fine.folds.parquet")
    rows = (folds["fold"] == trained.members["fold"][first]).to_numpy()
    z, _ = trained.apply({name: data.x[name][rows] for name in ("descriptors", "layer")}, np.array([first]))
    decoded = trained.network(np.array([first])).decode(torch.from_numpy(z))["layer"][0].numpy()
    true = data.x["layer"][rows]
    expected = 1 - ((true - decoded) ** 2).sum() / ((true - true.mean(axis=0)) ** 2).sum()
    assert found["layer"][first] == pytest.approx(expected, abs=1e-5)


def test_ensemble_is_the_mixture_of_its_seeds(chain):
    found = tables.read(chain / "fine.predictions.parquet", split="validation")
    wide = found.pivot(index="row_id", columns="seed", values=["mean", "std"])
    seeds = wide["mean"][[0, 1]]
    np.testing.assert_allclose(wide["mean"][-1], seeds.mean(axis=1))
    np.testing.assert_allclose(wide["std"][-1], seeds.std(axis=1, ddof=0))
    assert wide["std"][[0, 1]].isna().all().all()


def test_a_parent_without_a_stack_leaves_out_the_pairs_of_its_child(tmp_path):
    def scale(name: str, *inputs: str, **more) -> dict:
        features = {"descriptors": {"columns": ["d0", "d1", "d2"]}}
        nae = {"inputs": ["descriptors", *inputs], "encoder": {"latents": 2}, "heads": {f"{name}_y": {}}}
        return {
            "dataset": "rows",
            "targets": [f"{name}_y"],
            "features": features,
            "models": {"nae": {"specification": nae}},
            **more,
        }

    study = study_from(
        {
            "study": "s",
            "title": "t",
            "question": "q",
            "datasets": {"rows": {"title": "t", "file": "t.csv", "columns": {}}},
            "scales": {
                "fine": scale("fine"),
                "coarse": scale("coarse", "fine", parents=["fine"], recommended={"stack": ["nae"]}),
            },
        }
    )
    write_scale(tmp_path, "fine", 12, lambda d, k: d[:, 0])
    stacked = study.serves_stack("fine", "nae", "strict")
    trained = train(tmp_path, "fine", model("fine_y", epochs=1), stacked=stacked)
    pairs = trained.members.query("inner >= 0 and seed == 0")
    assert len(pairs) == FOLDS * (FOLDS - 1) / 2
    assert (pairs["inner"] > pairs["fold"]).all()


def test_a_material_left_out_does_not_change_its_latents(chain, tmp_path):
    frame = tables.read(chain / "fine.parquet")
    folds = tables.read(chain / "fine.folds.parquet")
    out = folds["fold"].to_numpy() == 1
    frame.loc[out, "fine_y"] = -50.0
    facts, schema = tables.provenance(chain / "fine.parquet"), tables.schema(chain / "fine.parquet")
    tables.write(tmp_path / "fine.parquet", frame, schema, {"blocks": facts["blocks"]})
    shutil.copy(chain / "fine.folds.parquet", tmp_path)
    train(tmp_path, "fine", model("fine_y", "layer"), stacked=True)
    propagate_latents(tmp_path / "fine.safetensors", chain / "middle.parquet", tmp_path / "p.parquet")
    columns = ["row_id", "z0", "z1"]
    left_out = {(1, -1), (1, 2), (1, 3), (0, 1)}
    for fold, k in left_out | {(0, -1), (0, 2), (2, 3), (-1, -1)}:
        before, after = (
            tables.read(file, fold=fold, inner=k)[columns].reset_index(drop=True)
            for file in (chain / "fine__middle.parquet", tmp_path / "p.parquet")
        )
        assert np.allclose(before, after, atol=1e-5) == ((fold, k) in left_out)


def test_features_that_are_not_finite_are_an_error(tmp_path):
    write_scale(tmp_path, "fine", 12, lambda d, k: np.where(d[:, 0] > 0, np.nan, 1.0))
    with pytest.raises(InputError, match="The value at row_id 10 is not finite"):
        train(tmp_path, "fine", model("fine_y"))


def test_an_autoencoder_learns_a_class_and_states_its_probability(class_scale, trained_class):
    found = tables.read(trained_class / "s.predictions.parquet", seed=-1, inner=-1, fold=0)
    held = found[found["split"] == "validation"]
    assert found["mean"].between(0, 1).all()
    assert set(found["true"]) == {0.0, 1.0}
    assert ((held["mean"] > 0.5) == held["true"]).mean() > 0.75
    assert (held["std"] > 0).all()
    assert (held["std"] < 0.5).all()
    seeds = tables.read(trained_class / "s.predictions.parquet", inner=-1, fold=0, repeat=1)
    of_seed = seeds[(seeds["split"] == "validation") & (seeds["seed"] >= 0)].groupby("row_id")["mean"]
    mine = held[held["repeat"] == 1].set_index("row_id")
    np.testing.assert_allclose(mine["mean"], of_seed.mean().loc[mine.index], atol=1e-9)
    np.testing.assert_allclose(mine["std"], of_seed.std(ddof=0).loc[mine.index], atol=1e-9)


def test_hidden_rows_neither_train_nor_validate(class_scale, trained_class):
    role = tables.read(class_scale[1], protocol="half", repeat=0).set_index("row_id")
    hidden = set(role.index[role["role"] == "unlabelled"])
    found = tables.read(trained_class / "s.predictions.parquet", repeat=0, fold=0)
    assert hidden
    assert not hidden & set(found["row_id"])
    latents = tables.read(trained_class / "s.latents.parquet", repeat=0, fold=0)
    split = latents.groupby("row_id")["split"].first()
    assert set(split.index[split == "unlabelled"]) == hidden
