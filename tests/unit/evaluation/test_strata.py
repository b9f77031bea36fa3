from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nestmat import tables
from nestmat.config.evaluation import Stratum
from nestmat.errors import InputError
from nestmat.evaluation.evaluate import OUTPUTS, Evaluation, evaluate_scale
from support.feature_tables import write_features
from support.small_scale import holdout_predictions


@pytest.fixture
def evaluated(tmp_path):
    predictions = holdout_predictions()
    tables.write(tmp_path / "p.parquet", predictions, tables.PREDICTIONS)
    formula = ["FeNi" if i % 3 else f"FeNiCrCoAl{1 + i}" for i in range(150)]
    frame = pd.DataFrame({"formula": formula, "material": formula, "x": np.arange(150.0), "phase": 0.0})
    features = write_features(tmp_path / "s.parquet", frame, {"inputs": ["x"]}, ["phase"], unit="")
    schema = tables.schema(features)
    schema["phase"] = tables.Column("float64", role="target", classes=("no", "yes"))
    tables.write(features, tables.read(features), schema, tables.provenance(features))

    def run(**within):
        files = {name: tmp_path / f"{name}.parquet" for name in OUTPUTS}
        evaluation = Evaluation(
            "s",
            features,
            [tmp_path / "p.parquet"],
            compare=[("good", "worse")],
            strata={name: Stratum(**limits) for name, limits in within.items()},
        )
        found = evaluate_scale(evaluation, files)
        for name, path in files.items():
            pd.testing.assert_frame_equal(
                tables.read(path), found[name][list(tables.schema(path))], check_dtype=False
            )
        return found

    return run


def test_a_scale_with_classes_is_measured_compared_and_divided(evaluated):
    found = evaluated(binaries={"high": 2}, many={"low": 5}, first={"column": "x", "high": 49})
    assert not set(found["metrics"]["metric"]) & {"mae", "rmse", "r2", "nll"}
    assert set(found["comparisons"]["metric"]) == {"accuracy", "roc_auc"}
    assert (found["comparisons"]["unit"] == "").all()
    curves = found["calibration"]
    assert curves["level"].between(0, 1).all()
    assert curves.groupby("model")["rows"].sum().to_dict() == {"good": 240, "worse": 240}
    strata = found["strata"]
    counted = strata[(strata["metric"] == "rows") & (strata["model"] == "good")]
    by_stratum = counted.groupby(["repeat", "stratum"])["value"].sum().unstack()
    assert (by_stratum["binaries"] + by_stratum["many"] == 30).all()
    predictions = holdout_predictions()
    mine = predictions[
        (predictions["model"] == "good")
        & (predictions["split"] == "validation")
        & (predictions["repeat"] == 3)
        & (predictions["row_id"] % 3 == 0)
    ]
    accuracy = ((mine["mean"] >= 0.5) == (mine["true"] == 1)).mean()
    told = strata[
        (strata[["model", "stratum", "metric", "repeat"]] == ["good", "many", "accuracy", 3]).all(axis=1)
    ]
    assert told["value"].tolist() == pytest.approx([accuracy])


def test_without_strata_their_table_is_empty(evaluated):
    assert evaluated()["strata"].empty


def test_a_stratum_of_no_number_column_is_named(evaluated):
    with pytest.raises(InputError, match="have no number column"):
        evaluated(odd={"column": "formula", "low": 1})


@pytest.mark.parametrize("given", [{}, {"low": 3, "high": 2}])
def test_a_stratum_has_limits(given):
    with pytest.raises(ValueError, match="low"):
        Stratum(**given)
