from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from nestmat import seals, tables
from nestmat.errors import InputError
from nestmat.evaluation.evaluate import Evaluation, evaluate_scale
from nestmat.evaluation.metrics import error_metrics, measure, reconstructions, summarise
from support.feature_tables import write_features
from support.small_scale import holdout_predictions, predictions_of


def test_error_metrics_equal_scikit_learn():
    rng = np.random.default_rng(0)
    true = rng.normal(size=50)
    mean = true + 0.2 * rng.normal(size=50)
    found = error_metrics(true, mean)
    assert found["mae"] == pytest.approx(mean_absolute_error(true, mean))
    assert found["rmse"] == pytest.approx(root_mean_squared_error(true, mean))
    assert found["r2"] == pytest.approx(r2_score(true, mean))
    assert np.isnan(error_metrics(np.ones(3), np.ones(3))["r2"])


def test_metrics_a_fold_and_pooled():
    frame = predictions_of("m", 0.1, seeds=(-1, 0))
    found = measure(frame).set_index(["seed", "split", "fold", "metric"])["value"]
    held = frame[(frame["split"] == "validation") & (frame["seed"] == 0)]
    assert found[0, "validation", -1, "mae"] == pytest.approx((held["true"] - held["mean"]).abs().mean())
    one = held[held["fold"] == 2]
    assert found[0, "validation", 2, "rmse"] == pytest.approx(
        root_mean_squared_error(one["true"], one["mean"])
    )
    assert set(found.index.get_level_values("fold")) == {-1, 0, 1, 2}
    assert ("train", "nll") not in {(split, metric) for _, split, _, metric in found.index}


def test_reconstruction_is_averaged_over_seeds_then_folds(tmp_path):
    members = [(0, 0, -1, 0), (0, 0, -1, 1), (0, 1, -1, 0), (0, 1, -1, 1), (0, -1, -1, 0), (0, 0, 0, 0)]
    columns = dict(
        zip(("repeat", "fold", "inner", "seed"), map(list, zip(*members, strict=True)), strict=True)
    )
    facts = {"reconstruction": {"ions": [0.9, 0.7, 0.4, 0.6, None, None], "constant": [None] * 6}}
    card = {"protocol": "strict", "model": "m", "members": columns, "facts": facts}
    seals.write_json(tmp_path / "m.json", card)
    found = reconstructions([tmp_path / "m.json"])
    assert found["value"].tolist() == pytest.approx([0.65, 0.8, 0.5])
    assert found["fold"].tolist() == [-1, 0, 1]
    assert set(found["target"]) == {"ions"}
    frame = pd.DataFrame({"material": ["a", "b"], "x": 0.0})
    features = write_features(tmp_path / "features.parquet", frame, {"inputs": ["x"]}, [])
    tables.write(tmp_path / "none.parquet", predictions_of("m", 0.1).iloc[:0], tables.PREDICTIONS)
    outputs = {key: tmp_path / f"{key}.parquet" for key in ("metrics", "comparisons", "calibration")}
    nothing = Evaluation("space", features, [tmp_path / "none.parquet"])
    evaluate_scale(replace(nothing, cards=[tmp_path / "m.json"]), outputs)
    metrics = tables.read(outputs["metrics"])
    assert set(metrics["metric"]) == {"reconstruction_r2"}
    assert set(metrics["unit"]) == {""}
    assert len(tables.read(outputs["comparisons"])) == len(tables.read(outputs["calibration"])) == 0
    with pytest.raises(InputError, match="no targets, and there are no cards"):
        evaluate_scale(nothing, outputs)


def test_a_holdout_is_summarised_over_its_repeats():
    predictions = holdout_predictions()
    table = measure(predictions, {"phase": ["no", "yes"]}).assign(scale="s", unit="")
    found = summarise(table)
    row = found[
        (found["model"] == "good") & (found["split"] == "validation") & (found["metric"] == "accuracy")
    ]
    mine = predictions[(predictions["model"] == "good") & (predictions["split"] == "validation")]
    right = (mine["mean"] >= 0.5) == (mine["true"] == 1)
    by_repeat = right.groupby(mine["repeat"]).mean()
    assert row["mean"].tolist() == pytest.approx([by_repeat.mean()])
    assert row["std"].tolist() == pytest.approx([by_repeat.std(ddof=0)])
    assert row["pooled"].tolist() == pytest.approx([by_repeat.mean()])
    assert row[["repeat", "folds", "over"]].to_numpy().tolist() == [[0, 8, "repeats"]]
    counted = found[(found["metric"] == "rows") & (found["model"] == "good")].set_index("split")["mean"]
    assert counted.to_dict() == {"train": 120.0, "validation": 30.0}


def test_a_single_split_and_folds_are_summarised_as_before():
    one = measure(holdout_predictions(repeats=1), {"phase": ["no", "yes"]}).assign(scale="s", unit="")
    assert set(summarise(one)["over"]) == {"folds"}
    assert set(summarise(one)["folds"]) == {1}
    folds = holdout_predictions()
    folds = folds.assign(fold=folds["row_id"] % 3, repeat=0).drop_duplicates(
        ["row_id", "model", "split", "fold"]
    )
    found = summarise(measure(folds, {"phase": ["no", "yes"]}).assign(scale="s", unit=""))
    assert set(found["over"]) == {"folds"}
    assert set(found["folds"]) == {3}
