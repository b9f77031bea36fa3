from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from sklearn.neighbors import KNeighborsRegressor

from nestmat import tables
from nestmat.config.baselines import Baseline
from nestmat.errors import InputError
from nestmat.evaluation import baselines as baselines_module
from nestmat.evaluation.baseline_inputs import BaselineInputs, ScaleTables
from nestmat.evaluation.baselines import compare_baselines, predict_baseline
from nestmat.evaluation.estimators.registry import BASELINES
from nestmat.evaluation.fitted_baselines import FitsToKeep, read_fits
from nestmat.evaluation.stack import recommend_predictor
from nestmat.plugins import load_plugins
from nestmat.training.inner_folds import read_row_splits
from support.holdouts import assign_holdout
from support.small_scale import QUICK, STACK, stack_files, stacked_scale


def test_rows_are_predicted_once_and_inner_ones_for_the_stack(scale, tmp_path):
    features, folds = scale()
    found = compare_baselines(ScaleTables(features, folds), "plain", QUICK, tmp_path / "p.parquet", STACK)
    pd.testing.assert_frame_equal(tables.read(tmp_path / "p.parquet"), found, check_dtype=False)
    labels = tables.read(folds, protocol="plain").set_index(["repeat", "row_id"])["fold"]
    for (model, target), part in found.groupby(["model", "target"]):
        rows = 60 if target == "y" else 59
        held = part[part["split"] == "validation"]
        assert not held.duplicated(["repeat", "row_id"]).any()
        assert len(held) == 2 * rows
        assert (
            labels.loc[pd.MultiIndex.from_frame(held[["repeat", "row_id"]])].to_numpy() == held["fold"]
        ).all()
        assert len(part[(part["split"] == "train") & (part["fold"] == -1)]) == rows
        inner = part[part["split"] == "inner"]
        assert inner.empty == (model not in STACK)
        if model in STACK:
            assert len(inner) == 2 * 3 * rows
            of_rows = labels.loc[pd.MultiIndex.from_frame(inner[["repeat", "row_id"]])].to_numpy()
            assert (of_rows == inner["inner"]).all()
            assert (inner["inner"] != inner["fold"]).all()
        assert part["true"].notna().all()
        assert (part.loc[part["split"] != "train", "std"] > 0).all()
    assert (found["seed"] == -1).all()


def test_the_held_out_residual_stands_for_a_missing_spread(scale, tmp_path):
    found = compare_baselines(
        ScaleTables(*scale()), "plain", {"ridge": QUICK["ridge"]}, tmp_path / "p.parquet", ["ridge"]
    )
    one = found[(found["target"] == "y") & (found["repeat"] == 0) & (found["fold"] == 2)]
    inner = one[one["split"] == "inner"]
    residual = np.sqrt(np.mean((inner["true"] - inner["mean"]) ** 2))
    np.testing.assert_allclose(one["std"], residual)


@pytest.mark.parametrize("protocol", ["plain", "strict", "halves"])
def test_labels_of_a_fold_do_not_leak(scale, tmp_path, protocol):
    def run(change=None):
        features, folds = scale(change)
        path = tmp_path / "p.parquet"
        compare_baselines(ScaleTables(features, folds), protocol, QUICK, path, STACK)
        stacked = stacked_scale(features, folds, a=["a0", "a1"], b=["b0", "b1"]), stack_files(tmp_path)
        return recommend_predictor([path], STACK, *stacked), tables.read(path)

    (stack, _), baselines = run()
    held = tables.read(tmp_path / "folds.parquet", protocol=protocol, repeat=0, fold=1)["row_id"]

    def spoil(frame):
        frame.loc[held, ["y", "v"]] += 100.0

    (stack_2, _), baselines_2 = run(spoil)
    for before, after in ((stack, stack_2), (baselines, baselines_2)):
        # What is measured of a region learns on all others.
        mask = (before["fold"] == 1) & (before["repeat"] == 0) & (before["split"] != "extrapolated")
        pd.testing.assert_frame_equal(before.loc[mask, ["mean", "std"]], after.loc[mask, ["mean", "std"]])
        assert not np.allclose(before.loc[~mask, "mean"], after.loc[~mask, "mean"])


def test_baselines_do_not_depend_on_the_number_of_threads(scale, tmp_path):
    features, folds = scale()
    one, two = (
        compare_baselines(ScaleTables(features, folds), "strict", QUICK, tmp_path / "p.parquet", threads=n)
        for n in (1, 2)
    )
    pd.testing.assert_frame_equal(one, two)


def test_fits_on_every_row_are_kept_and_predict_as_they_did(scale, tmp_path):
    features, folds = scale()
    keep = FitsToKeep(tmp_path / "fits.zip", ["forest", "xgboost", "process"])
    found = compare_baselines(
        ScaleTables(features, folds), "strict", QUICK, tmp_path / "p.parquet", STACK, 2, keep=keep
    )
    baselines = {name: Baseline.model_validate(QUICK[name]) for name in keep.baselines}
    fits, frame = read_fits(keep.path, baselines), tables.read(features)
    with pytest.raises(InputError, match="does not hold the baseline 'ridge'"):
        read_fits(keep.path, {"ridge": Baseline.model_validate(QUICK["ridge"])})
    for name, baseline in baselines.items():
        for target in ("y", "v"):
            inputs = BaselineInputs.of(frame[frame[target].notna()], features)
            mean, std = predict_baseline(baseline, fits[name], inputs)[target]
            of_all = found[(found["model"] == name) & (found["target"] == target) & (found["fold"] == -1)]
            before = of_all[of_all["split"] == "train"]
            np.testing.assert_allclose(mean, before["mean"], rtol=1e-12, atol=1e-12)
            if np.isfinite(std).all():
                np.testing.assert_allclose(std, before["std"], rtol=1e-12)


def test_new_rows_are_predicted_alike_in_parts_and_by_several_threads(scale, tmp_path, monkeypatch):
    features, folds = scale()
    keep = FitsToKeep(tmp_path / "fits.zip", ["forest", "ridge"])
    quick = {name: QUICK[name] for name in keep.baselines}
    compare_baselines(ScaleTables(features, folds), "strict", quick, tmp_path / "p.parquet", keep=keep)
    inputs = BaselineInputs.read(features)
    baselines = {name: Baseline.model_validate(entry) for name, entry in quick.items()}
    fits = read_fits(keep.path, baselines)

    def predict(threads: int) -> list[np.ndarray]:
        by_name = [predict_baseline(b, fits[n], inputs, threads=threads)["y"] for n, b in baselines.items()]
        return [values for pair in by_name for values in pair]

    whole = predict(1)
    monkeypatch.setattr(baselines_module, "ROWS", 7)
    for before, after in zip(whole, predict(2), strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-12)


PLUGIN = """
from dataclasses import dataclass
from typing import ClassVar

from sklearn.neighbors import KNeighborsRegressor

from nestmat.evaluation.estimators.base import BaselineKind
from nestmat.evaluation.estimators.registry import BASELINES


@BASELINES.register("test_neighbours")
@dataclass(frozen=True)
class Neighbours(BaselineKind):
    \"\"\"Mean of the nearest training rows.

    Attributes:
        neighbours: Their number.
    \"\"\"

    stored_types: ClassVar[tuple[str, ...]] = (
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.neighbors._kd_tree.KDTree",
    )

    neighbours: int = 5

    def regressor(self, seed):
        return KNeighborsRegressor(self.neighbours)
"""


def test_a_baseline_of_a_plugin_runs_in_other_processes(scale, tmp_path):
    file = tmp_path / "test_neighbours_plugin.py"
    file.write_text(PLUGIN)
    load_plugins([file])
    assert BASELINES.source("test_neighbours") == file
    nearest = {"kind": "test_neighbours", "inputs": ["a", "b"], "neighbours": 2}
    features, folds = scale()
    keep = FitsToKeep(tmp_path / "fits.zip", ["nearest"])
    found = compare_baselines(
        ScaleTables(features, folds),
        "strict",
        {"nearest": nearest},
        tmp_path / "p.parquet",
        threads=2,
        keep=keep,
    )
    train = found[(found["fold"] == -1) & (found["target"] == "y")]
    frame = tables.read(features)
    peer = KNeighborsRegressor(2).fit(frame[["a0", "a1", "b0", "b1"]], frame["y"])
    np.testing.assert_allclose(train["mean"], peer.predict(frame[["a0", "a1", "b0", "b1"]]))
    assert (found.loc[found["split"] == "validation", "std"] > 0).all()
    baseline = Baseline.model_validate(nearest)
    fits = read_fits(keep.path, {"nearest": baseline})["nearest"]
    mean, _ = predict_baseline(baseline, fits, BaselineInputs.read(features))["y"]
    np.testing.assert_array_equal(mean, train["mean"])
    with pytest.raises(ValidationError, match="neighbour"):
        Baseline.model_validate(nearest | {"neighbour": 2})


def test_an_input_that_is_not_finite_is_named(scale, tmp_path):
    def spoil(frame):
        frame.loc[5, "b1"] = np.inf

    with pytest.raises(InputError, match=r"column 'b1'.*not finite for row_id 5"):
        compare_baselines(ScaleTables(*scale(spoil)), "plain", QUICK, tmp_path / "p.parquet")


def test_folds_of_other_rows_are_refused(scale, tmp_path):
    features, folds = scale()
    with pytest.raises(InputError, match="does not hold protocol 'other'"):
        compare_baselines(ScaleTables(features, folds), "other", QUICK, tmp_path / "p.parquet")
    frame = tables.read(folds)
    tables.write(folds, frame[frame["row_id"] > 0], tables.FOLDS)
    with pytest.raises(InputError, match="for the rows of"):
        compare_baselines(ScaleTables(features, folds), "plain", QUICK, tmp_path / "p.parquet")


def test_baselines_neither_train_nor_are_measured_on_hidden_rows(tmp_path):
    features, folds = assign_holdout(tmp_path)
    found = compare_baselines(
        ScaleTables(features, folds),
        "half",
        {"ridge": {"kind": "ridge", "inputs": ["inputs"]}},
        tmp_path / "p.parquet",
        stacked=["ridge"],
    )
    roles = tables.read(folds, protocol="half", repeat=1).set_index("row_id")
    mine = found[(found["repeat"] == 1) & (found["fold"] == 0)]
    seen = {split: set(rows["row_id"]) for split, rows in mine.groupby("split")}
    assert seen["validation"] == set(roles.index[roles["fold"] == 0])
    labelled = set(roles.index[(roles["fold"] == -1) & (roles["role"] == "labelled")])
    assert seen["train"] == seen["inner"] == labelled
    assert (mine["std"] > 0).all()


def test_a_stump_finds_the_threshold_on_the_number_of_elements(class_scale, tmp_path):
    features, folds = class_scale
    frame = tables.read(features)
    frame["phase"] = (frame["formula"].str.count("Cr") == 0).astype(float)
    there = tmp_path / "s.parquet"
    tables.write(there, frame, tables.schema(features), tables.provenance(features))
    baseline = {"kind": "stump", "inputs": ["number_of_elements"]}
    keep = FitsToKeep(tmp_path / "fits.zip", ["rule"])
    found = compare_baselines(
        ScaleTables(there, folds), "half", {"rule": baseline}, tmp_path / "p.parquet", keep=keep
    )
    held = found[found["split"] == "validation"]
    np.testing.assert_array_equal(held["mean"], held["true"])
    rule = Baseline.model_validate(baseline)
    fits = read_fits(keep.path, {"rule": rule})["rule"]
    new = BaselineInputs.of(frame.assign(formula="FeNiCrCoAl"), there)
    mean, std = predict_baseline(rule, fits, new, {"phase": ["no", "yes"]})["phase"]
    assert (mean == 0).all()
    assert np.isnan(std).all()


def test_a_class_is_predicted_by_classifiers_without_residuals(class_scale, tmp_path):
    chosen = {
        "forest": {"kind": "random_forest", "inputs": ["inputs"], "n_estimators": 20},
        "share": {"kind": "mean", "inputs": ["inputs"]},
    }
    found = compare_baselines(
        ScaleTables(*class_scale), "half", chosen, tmp_path / "p.parquet", stacked=["forest"]
    )
    assert found["mean"].between(0, 1).all()
    assert found["std"].isna().all()
    assert set(found.loc[found["model"] == "share", "inner"]) == {-1}
    held = found[(found["model"] == "forest") & (found["split"] == "validation")]
    assert ((held["mean"] > 0.5) == held["true"]).mean() > 0.7
    row_id = tables.read(class_scale[0])["row_id"].to_numpy()
    for repeat in (0, 1):
        train = read_row_splits(class_scale[1], "half", row_id)[repeat].train(0)
        share = tables.read(class_scale[0])["phase"][train].mean()
        mine = found[(found["model"] == "share") & (found["repeat"] == repeat) & (found["fold"] == 0)]
        np.testing.assert_allclose(mine["mean"], share)


def test_a_baseline_of_numbers_does_not_predict_classes(class_scale, tmp_path):
    chosen = {"line": {"kind": "ridge", "inputs": ["inputs"]}}
    with pytest.raises(InputError, match=r"'ridge' does not predict classes.*choose one of extra_trees"):
        compare_baselines(ScaleTables(*class_scale), "half", chosen, tmp_path / "p.parquet")


def test_too_few_rows_of_a_class_are_named(class_scale, tmp_path):
    features, folds = class_scale
    frame = tables.read(features)
    frame["phase"] = (np.arange(len(frame)) == 3).astype(float)
    there = tmp_path / "s.parquet"
    tables.write(there, frame, tables.schema(features), tables.provenance(features))
    chosen = {"svm": {"kind": "svm", "inputs": ["inputs"]}}
    with pytest.raises(InputError, match=r"training rows of one class.*label more rows"):
        compare_baselines(ScaleTables(there, folds), "half", chosen, tmp_path / "p.parquet")
