"""Weights and uncertainties of rows: one clear message before anything is trained."""

from __future__ import annotations

from copy import deepcopy

import pytest

from nestmat import tables
from nestmat.commands.validate import check_columns
from nestmat.config.loading import study_from
from nestmat.data.reading import read, write
from nestmat.data.targets import check_weighted_fits
from nestmat.errors import InputError

HEADER = "formula,a,gap,w,s\n"
COLUMNS = {"a": {}, "gap": {"uncertainty": "s"}, "w": {}, "s": {}}


@pytest.mark.parametrize(
    ("lines", "row", "column", "value", "message"),
    [
        ("CsPbI3,1,2,1,0.1\nFAPbI3,1,2,-1,0.1\n", 3, "w", "-1", "not a number of 0 or more; 1 of 2"),
        ("CsPbI3,1,2,,0.1\nFAPbI3,1,2,1,0.1\n", 2, "w", "", "not a number of 0 or more"),
        ("CsPbI3,1,2,x,0.1\nFAPbI3,1,2,1,0.1\n", 2, "w", "x", "not a number of 0 or more"),
        ("CsPbI3,1,2,0,0.1\nFAPbI3,1,2,0.0,0.1\n", 2, "w", "0", "weights of all rows are zero"),
        ("CsPbI3,1,2,1,0.1\nFAPbI3,1,2,1,0\n", 3, "s", "0", "not a positive number"),
        ("CsPbI3,1,2,1,\nFAPbI3,1,2,1,0.2\n", 2, "s", "", "not a positive number"),
    ],
)
def test_a_row_without_its_weight_stops_all(csv_file, own_spec, lines, row, column, value, message):
    spec = own_spec(columns=COLUMNS, weights="w")
    with pytest.raises(InputError, match=message) as caught:
        read(spec, csv_file(HEADER + lines), targets=["gap"])
    assert (caught.value.row, caught.value.column, caught.value.value) == (row, column, value)


def test_rows_without_a_label_need_no_uncertainty(csv_file, own_spec, tmp_path):
    path = csv_file(HEADER + "CsPbI3,1,2,1,0.1\nFAPbI3,1,,1,\n")
    reading = read(own_spec(columns=COLUMNS, weights="w"), path, targets=["gap"])
    assert reading.rejects["row"].tolist() == [3]
    write(reading, tmp_path / "t.parquet", tmp_path / "r.parquet")
    schema = tables.schema(tmp_path / "t.parquet")
    assert (schema["w"].role, schema["s"].role, schema["gap"].role) == ("weight", "uncertainty", "target")
    assert schema["gap"].uncertainty_column == "s"


def test_weights_do_not_make_rows_different(csv_file, own_spec):
    path = csv_file(HEADER + "CsPbI3,1,2,1,0.1\nCsPbI3,1,2.5,3,0.2\n")
    reading = read(own_spec(columns=COLUMNS, weights="w"), path, targets=["gap"])
    assert all("same inputs" in flag for flag in reading.frame["flag"])


@pytest.mark.parametrize(
    ("columns", "weights", "message"),
    [
        ({"a": {"uncertainty": "s"}}, None, "columns.a.uncertainty: The column 's' is not one of"),
        ({"a": {}}, "w", "weights: The column 'w' is not one of"),
        ({"a": {}, "w": {"kind": "category"}}, "w", "does not hold plain numbers"),
    ],
)
def test_a_column_of_weights_is_one_of_numbers(own_spec, columns, weights, message):
    with pytest.raises(ValueError, match=message):
        own_spec(columns=columns, weights=weights)


def weighted_study() -> dict:
    return {
        "study": "s",
        "title": "t",
        "question": "q",
        "datasets": {
            "rows": {
                "title": "t",
                "file": "t.csv",
                "weights": "w",
                "columns": {
                    "a": {},
                    "gap": {"uncertainty": "s"},
                    "phase": {"classes": ["no", "yes"]},
                    "w": {},
                    "s": {},
                },
            }
        },
        "scales": {
            "one": {
                "dataset": "rows",
                "targets": ["gap"],
                "features": {"inputs": {"columns": ["a"]}},
                "models": {
                    "ae": {
                        "specification": {
                            "inputs": ["inputs"],
                            "encoder": {"latents": 2},
                            "heads": {"gap": {}},
                        }
                    }
                },
                "baselines": {"process": {"kind": "gaussian_process", "inputs": ["inputs"]}},
            }
        },
    }


def test_models_that_weigh_rows_are_accepted():
    check_columns(study_from(weighted_study()))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": {"inputs": {"columns": ["a", "s"]}}}, "'s' states how much rows count"),
        ({"targets": ["gap", "w"]}, "'w' states how much rows count"),
        ({"targets": ["phase"]}, "does not weigh the rows of 'phase'"),
    ],
)
def test_a_weight_has_one_use_and_is_used(changes, message):
    content = deepcopy(weighted_study())
    scale = content["scales"]["one"] | changes
    heads = {
        target: {"loss": "binary_cross_entropy"} if target == "phase" else {} for target in scale["targets"]
    }
    scale["models"]["ae"]["specification"]["heads"] = heads
    content["scales"]["one"] = scale
    with pytest.raises(InputError, match=message):
        check_weighted_fits(study_from(content))
