"""Accessors of tables of predictions."""

import numpy as np
import pandas as pd
import pytest

from nestmat import tables
from nestmat.scales.predictions import Predictions, mean_column, quantity_of, std_column


@pytest.fixture
def frame():
    rows = [
        # row, fold, inner, seed, split, true, mean
        (0, 0, -1, 0, "validation", 1.0, 1.5),
        (0, 0, -1, -1, "validation", 1.0, 1.25),
        (1, 0, -1, -1, "train", 2.0, 2.0),
        (1, 1, -1, -1, "validation", 2.0, 3.0),
        (1, 1, 0, -1, "validation", 2.0, 9.0),
        (2, -1, -1, -1, "train", 3.0, 3.0),
    ]
    frame = pd.DataFrame(rows, columns=["row_id", "fold", "inner", "seed", "split", "true", "mean"])
    frame = frame.assign(protocol="strict", model="ae", target="gap", repeat=0, std=np.nan)
    return frame[list(tables.PREDICTIONS)]


def test_held_out_rows_of_the_ensemble(frame):
    held_out = Predictions(frame).held_out.ensemble
    assert held_out.frame["row_id"].tolist() == [0, 1]
    assert held_out.errors.tolist() == [0.25, 1.0]
    assert held_out.true.tolist() == [1.0, 2.0]


def test_rows_in_the_order_that_is_asked_for(frame):
    predictions = Predictions(frame).held_out.ensemble.where(target="gap")
    assert predictions.by_row([1, 0])["mean"].tolist() == [3.0, 1.25]
    assert predictions.std.isna().all()


def test_files_are_read_with_the_rows_that_are_asked_for(frame, tmp_path):
    for model in ("ae", "flow"):
        part = frame.assign(model=model).astype({"repeat": "int32", "fold": "int32", "inner": "int32"})
        tables.write(tmp_path / f"{model}.parquet", part.astype({"seed": "int32"}), tables.PREDICTIONS, {})
    predictions = Predictions.read([tmp_path / "ae.parquet", tmp_path / "flow.parquet"], seed=0)
    assert predictions.frame["model"].tolist() == ["ae", "flow"]
    assert predictions.mean.tolist() == [1.5, 1.5]


def test_columns_of_a_quantity():
    assert (mean_column("gap"), std_column("gap")) == ("gap.mean", "gap.std")
    assert quantity_of("a.gap.mean") == ("a.gap", "mean")
    assert quantity_of("mean") is None
    assert quantity_of("gap.hit") is None
