from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nestmat import tables
from nestmat.errors import InputError
from nestmat.evaluation.baseline_inputs import ScaleTables
from nestmat.evaluation.baselines import compare_baselines
from nestmat.evaluation.protocols import assign_folds
from nestmat.training.inner_folds import read_row_splits
from support.feature_tables import write_features


def test_folds_are_those_of_the_protocol_where_a_scale_lacks_one(tmp_path):
    frame = pd.DataFrame({"material": [f"m{i}" for i in range(12)], "x": 1.0, "y": np.arange(12.0)})
    frame["kind"] = ["a", "b", "c"] * 4
    features = {"s": write_features(tmp_path / "s.parquet", frame, {"inputs": ["x"]}, ["y"])}
    folds = {"s": tmp_path / "f.parquet"}
    splits = {
        "s": {"plain": {"kind": "kfold", "folds": 6}, "kind": {"kind": "leave_one_out", "column": "kind"}}
    }
    assign_folds(features, folds, {"folds": 5}, splits, {"s": ["y"]})
    splits = {name: read_row_splits(folds["s"], name, np.arange(12))[0] for name in ("strict", *splits["s"])}
    assert {name: split.folds for name, split in splits.items()} == {"strict": 5, "plain": 6, "kind": 3}
    assert {name: split.inner_folds for name, split in splits.items()} == {"strict": 0, "plain": 0, "kind": 4}
    with pytest.raises(InputError, match="how many folds protocol 'other' has"):
        read_row_splits(folds["s"], "other", np.arange(12))


@pytest.mark.parametrize(("rows", "members"), [(12, 10), (2000, 5)])
def test_folds_of_large_tables_are_paired_with_their_neighbours_alone(tmp_path, rows, members):
    frame = pd.DataFrame({"material": [f"m{i}" for i in range(rows)], "x": 1.0, "y": np.arange(float(rows))})
    features = {"s": write_features(tmp_path / "s.parquet", frame, {"inputs": ["x"]}, ["y"])}
    assign_folds(features, {"s": tmp_path / "f.parquet"}, {"folds": 5}, {"s": {}}, {"s": ["y"]})
    [split] = read_row_splits(tmp_path / "f.parquet", "strict", np.arange(rows))
    assert len(split.inner_members()) == members


def test_a_finer_scale_has_the_pairs_of_a_small_coarser_one_whose_split_has_the_same_name(tmp_path):
    features, sizes = {}, {"fine": 2000, "coarse": 12}
    for name, rows in sizes.items():
        frame = pd.DataFrame(
            {"material": [f"{name} {i}" for i in range(rows)], "x": 1.0, "y": np.arange(1.0 * rows)}
        )
        features[name] = write_features(tmp_path / f"{name}.parquet", frame, {"inputs": ["x"]}, ["y"])
    folds = {name: tmp_path / f"{name}.folds.parquet" for name in sizes}
    splits = {name: {"random": {"kind": "kfold", "folds": 5}} for name in sizes}
    assign_folds(features, folds, {"folds": 5}, splits, {name: ["y"] for name in sizes})
    for name, rows in sizes.items():
        [split] = read_row_splits(folds[name], "random", np.arange(rows))
        assert len(split.inner_members()) == 10


def test_assigned_folds_cover_every_row_once_and_match_along_the_chain(tmp_path):
    fine = pd.DataFrame(
        {"material": [f"m{i}" for i in range(40)], "x": np.arange(40.0), "y": np.arange(40.0)}
    )
    coarse = pd.DataFrame(
        {
            "material": np.repeat([f"m{i}" for i in range(30, 50)], 3),
            "x": np.arange(60.0),
            "y": np.arange(60.0) % 7,
            "solvent": ["DMSO", "DMF", "NMP"] * 20,
        }
    )
    features = {
        "fine": write_features(tmp_path / "fine.parquet", fine, {"inputs": ["x"]}, ["y"]),
        "coarse": write_features(tmp_path / "coarse.parquet", coarse, {"inputs": ["x"]}, ["y"]),
    }
    outputs = {scale: tmp_path / f"{scale}.folds.parquet" for scale in features}
    splits = {
        "fine": {
            "published": {"kind": "stratified", "folds": 5, "quantiles": 4, "seed": 42, "repeats": [1, 2]}
        },
        "coarse": {"solvent": {"kind": "leave_one_out", "column": "solvent"}},
    }
    targets = {"fine": ["y"], "coarse": ["y"]}
    found = assign_folds(features, outputs, {"folds": 5, "seed": 1, "repeats": [2]}, splits, targets)
    for scale, frame in found.items():
        pd.testing.assert_frame_equal(tables.read(outputs[scale]), frame)
        for _, part in frame.groupby(["protocol", "repeat"]):
            assert sorted(part["row_id"]) == list(range(len(tables.read(features[scale]))))
    assert found["fine"].groupby("protocol")["repeat"].nunique().to_dict() == {"strict": 2, "published": 3}
    assert found["coarse"].groupby("protocol")["repeat"].nunique().to_dict() == {"strict": 2, "solvent": 1}
    strict = pd.concat(found.values()).query("protocol == 'strict'")
    assert strict.groupby(["repeat", "material"])["fold"].nunique().eq(1).all()


def test_a_shared_split_keeps_a_material_in_one_fold_of_the_scales_that_have_it(tmp_path):
    frames = {
        name: pd.DataFrame({"material": [f"m{i % n}" for i in range(40)], "x": 1.0, "y": np.arange(40.0)})
        for name, n in (("fine", 20), ("coarse", 8), ("other", 8))
    }
    features = {
        k: write_features(tmp_path / f"{k}.parquet", f, {"b": ["x"]}, ["y"]) for k, f in frames.items()
    }
    halves = {"halves": {"kind": "shared", "folds": 2, "seed": 3}}
    found = assign_folds(
        features,
        {name: tmp_path / f"{name}.folds.parquet" for name in frames},
        {"folds": 4},
        {"fine": halves, "coarse": halves},
        {key: ["y"] for key in frames},
    )
    assert set(found["other"]["protocol"]) == {"strict"}
    both = pd.concat([found["fine"], found["coarse"]]).query("protocol == 'halves'")
    assert len(both) == 80
    assert set(both["fold"]) == {0, 1}
    assert both.groupby("material")["fold"].nunique().eq(1).all()


def test_too_few_materials_for_the_shared_folds_are_named(tmp_path):
    frame = pd.DataFrame({"material": ["a", "b", "a"], "x": 1.0, "y": 2.0})
    path = write_features(tmp_path / "s.parquet", frame, {"inputs": ["x"]}, ["y"])
    with pytest.raises(InputError, match="key 'strict': 2 materials cannot make 5 folds"):
        assign_folds({"s": path}, {"s": tmp_path / "f.parquet"}, {"folds": 5}, {}, {"s": ["y"]})
    assert not (tmp_path / "f.parquet").exists()


def test_published_folds_give_the_published_errors(mirror, tmp_path):
    """Reference models of the NestedAE follow-up on its own folds: Ridge and Lasso 0.235 +- 0.028 eV."""
    data = pd.read_csv(mirror / "nestedae" / "perov_bandgaps_PBE.csv", encoding="utf-8-sig")
    columns = [name for name in data if name[:2] in ("A_", "B_", "X_")]
    frame = data[columns].astype(float).assign(material=data["Formula"], Gap=data["Gap"].astype(float))
    features = write_features(tmp_path / "gap.parquet", frame, {"descriptors": columns}, ["Gap"])
    folds = tmp_path / "gap.folds.parquet"
    split = {"kind": "stratified", "folds": 10, "quantiles": 10, "seed": 42, "published": True}
    assign_folds({"gap": features}, {"gap": folds}, {}, {"gap": {"published": split}}, {"gap": ["Gap"]})
    chosen = {
        kind: {"kind": kind, "inputs": ["descriptors"]} for kind in ("ridge", "lasso", "gaussian_process")
    }
    found = compare_baselines(
        ScaleTables(features, folds), "published", chosen, tmp_path / "baselines.parquet"
    )
    held = found[found["split"] == "validation"]
    errors = (held["true"] - held["mean"]).abs().groupby([held["model"], held["fold"]]).mean()
    mean, spread = errors.groupby("model").mean(), errors.groupby("model").std(ddof=0)
    assert mean[["ridge", "lasso"]].to_numpy() == pytest.approx(0.235, abs=0.002)
    assert spread[["ridge", "lasso"]].to_numpy() == pytest.approx(0.028, abs=0.002)
    assert mean["gaussian_process"] < 0.125
