from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nestmat import tables
from nestmat.evaluation.evaluate import Evaluation, evaluate_scale
from nestmat.evaluation.metrics import summarise
from support.feature_tables import write_features
from support.small_scale import predictions_of


def test_an_evaluation_writes_its_tables(tmp_path):
    frame = pd.DataFrame({"material": [f"m{i // 2}" for i in range(60)], "x": 0.0, "y": 0.0})
    frame["solvent"] = [f"s{i % 4}" for i in range(60)]
    features = write_features(tmp_path / "features.parquet", frame, {"inputs": ["x"]}, ["y"])
    files = []
    for model, noise in (("nested", 0.1), ("single", 0.4)):
        files.append(tmp_path / f"{model}.parquet")
        tables.write(files[-1], predictions_of(model, noise, (-1, 0)), tables.PREDICTIONS)
    outputs = {key: tmp_path / f"{key}.parquet" for key in ("metrics", "comparisons", "calibration")}
    evaluation = Evaluation("gap", features, files, compare=[["nested", "single"], ["nested", "absent"]])
    found = evaluate_scale(evaluation, outputs)
    for key, path in outputs.items():
        assert len(tables.read(path)) == len(found[key])
    units = found["metrics"].groupby("metric")["unit"].unique().map(list).to_dict()
    assert units["mae"] == units["rmse"] == units["sharpness"] == ["eV"]
    assert units["r2"] == units["nll"] == units["coverage_95"] == [""]
    (pair,) = found["comparisons"].to_dict("records")
    assert pair["difference"] == pytest.approx(-0.3 * np.sqrt(2 / np.pi), abs=0.08)
    assert pair["low"] < pair["difference"] < pair["high"] < 0
    assert max(pair["p_value"], pair["p_folds"]) < 0.05
    assert (pair["clusters"], pair["unit"], pair["scale"]) == (30, "eV", "gap")
    levels = evaluate_scale(replace(evaluation, left_out={pair["protocol"]: "solvent"}), outputs)
    assert levels["comparisons"]["clusters"].tolist() == [4]
    summary = summarise(found["metrics"]).query("model == 'nested' and metric == 'mae' and seed == -1")
    row = summary[summary["split"] == "validation"].iloc[0]
    assert (row["folds"], row["unit"]) == (3, "eV")
    assert row["mean"] == pytest.approx(row["pooled"])
    assert set(found["calibration"]["model"]) == {"nested", "single"}
