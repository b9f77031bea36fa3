"""Columns of tables of candidates: names, accessors and schema."""

import numpy as np
import pandas as pd
import pytest

from nestmat.search.candidate_table import (
    MODEL,
    CandidateTable,
    candidate_schema,
    mean_column,
    prediction_columns,
    std_column,
    verdict_column,
)


@pytest.fixture
def table():
    frame = pd.DataFrame({"formula": ["A", "B", "C"], "t": [0.0, 0.5, 1.0]})
    columns = prediction_columns({"device.pce": ([10.0, 20.0, 30.0], [1.0, 2.0, 3.0])})
    columns |= {"distance": [0.0, 1.0, 2.0], "violation": [0.0, 0.0, 1.0], "hit": [True, False, False]}
    columns |= prediction_columns({"device.pce": ([11.0, 19.0, 28.0], [0.5, 0.5, 0.5])}, "trees")
    columns |= {"trees.distance": [1.0, 1.0, 1.0], "trees.violation": 0.0, "trees.hit": [True, True, False]}
    columns |= prediction_columns({"device.pce": ([9.0, 9.0, 9.0], [np.nan] * 3)}, "physics")
    return CandidateTable(frame.assign(**columns))


def test_names_of_columns_have_the_judge_first_and_the_statistic_last():
    assert mean_column("device.pce") == mean_column("device.pce", MODEL) == "device.pce.mean"
    assert std_column("device.pce", "trees") == "trees.device.pce.std"
    assert (verdict_column("hit"), verdict_column("hit", "trees")) == ("hit", "trees.hit")


def test_accessors_of_the_searched_model_and_of_a_judge(table):
    assert table.mean("device.pce").tolist() == [10, 20, 30]
    assert table.mean("device.pce", "trees").tolist() == [11, 19, 28]
    assert table.std("device.pce", "physics").isna().all()
    assert table.hit().tolist() == [True, False, False]
    assert table.hit("trees").tolist() == [True, True, False]
    assert table.distance().tolist() == [0, 1, 2]
    assert table.violation("trees").tolist() == [0, 0, 0]
    assert table.numbers(["t"]).tolist() == [[0.0], [0.5], [1.0]]


def test_judges_are_read_from_the_columns(table):
    assert table.judges == ["trees"]
    assert table.judges_of("device.pce") == ["trees", "physics"]
    assert table.judges_of("pce") == ["device", "trees.device", "physics.device"]
    assert table.predicts("device.pce", "physics")
    assert not table.predicts("device.pce", "gaussian_process")


def test_means_are_named_by_their_quantity(table):
    assert list(table.means) == ["device.pce", "trees.device.pce", "physics.device.pce"]
    assert list(table.predictions)[:2] == ["device.pce.mean", "device.pce.std"]
    assert len(table.where(table.hit("trees"))) == 2


def test_schema_has_the_unit_of_every_quantity(table):
    schema = table.schema({"device.pce": "%"})
    assert list(schema) == list(table.frame)
    assert schema["device.pce.mean"].unit == schema["trees.device.pce.std"].unit == "%"
    assert schema["trees.distance"].unit == ""
    assert schema["trees.hit"].dtype == schema["hit"].dtype == "bool"
    assert schema["t"].dtype == "float64"
    assert {
        name: column.dtype for name, column in candidate_schema(["rank", "known", "method"], {}).items()
    } == {
        "rank": "int32",
        "known": "bool",
        "method": "string",
    }
