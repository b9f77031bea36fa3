"""Errors of left-out rows by how they stand to the rows that their fold trained on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nestmat import tables
from nestmat.evaluation.domain_errors import ScaleFiles, measure_domains
from support.feature_tables import write_features


@pytest.fixture
def chain(tmp_path):
    """Forty rows on a line and one far away, in two folds; a finer scale saw half of the line."""
    x = np.append(np.linspace(0, 1, 40), 9.0)
    files = {}
    for scale, values in (("fine", x / 2), ("coarse", x)):
        frame = pd.DataFrame({"formula": "", "material": [f"row {k}" for k in range(41)], "x": values})
        path = tmp_path / f"{scale}.parquet"
        write_features(path, frame.assign(y=values), {"inputs": ["x"]}, ["y"], unit="eV")
        row_id = tables.read(path, columns=["row_id"])["row_id"]
        folds = pd.DataFrame(
            {"protocol": "strict", "repeat": 0, "row_id": row_id, "material": "", "inner": -1, "regions": 0}
        )
        folds = folds.assign(fold=np.arange(41) % 2, role="labelled")
        tables.write(tmp_path / f"{scale}.folds.parquet", folds, tables.FOLDS, {"folds": {"strict": 2}})
        files[scale] = (path, tmp_path / f"{scale}.folds.parquet")
    blocks = {"inputs": {"columns": ["x"]}}
    coarse = ScaleFiles(files["coarse"][0], files["coarse"][0], files["coarse"][1], blocks)
    return {
        "fine": ScaleFiles(files["fine"][0], files["coarse"][0], files["fine"][1], blocks),
        "coarse": coarse,
    }


def predictions(path, errors):
    count = len(errors)
    frame = pd.DataFrame({"protocol": "strict", "model": "net", "target": "y", "row_id": np.arange(count)})
    frame = frame.assign(repeat=0, fold=np.arange(count) % 2, inner=-1, seed=-1, split="validation", true=0.0)
    tables.write(path, frame.assign(mean=errors, std=1.0), tables.PREDICTIONS)
    return path


def measured(table):
    return table.set_index(["domain", "metric"])["value"].to_dict()


def test_errors_are_those_of_the_rows_of_each_verdict(chain, tmp_path):
    errors = np.append(np.full(40, 0.5), 3.0)
    file = predictions(tmp_path / "p.parquet", errors)
    found = measured(measure_domains({"coarse": chain["coarse"]}, [file], tmp_path / "out.parquet"))
    # The largest row of a fold without the far one is the edge of the other at most.
    assert found["inside", "rows"] + found.get(("edge", "rows"), 0) == 40
    assert found["outside", "rows"] == found["outside", "materials"] == 1
    assert found["outside", "mae"] == 3
    assert found["inside", "mae"] == 0.5
    assert found["outside", "coverage_95"] == 0
    assert found["inside", "coverage_95"] == 1
    units = tables.read(tmp_path / "out.parquet").set_index("metric")["unit"]
    assert (units["mae"] == "eV").all()
    assert (units["rows"] == "").all()


def test_a_row_is_as_far_as_the_finer_scale_says(chain, tmp_path):
    file = predictions(tmp_path / "p.parquet", np.full(41, 0.5))
    own = measured(measure_domains({"coarse": chain["coarse"]}, [file], tmp_path / "a.parquet"))
    both = measured(measure_domains(chain, [file], tmp_path / "b.parquet"))
    assert both["inside", "rows"] < own["inside", "rows"]
    assert sum(both.get((domain, "rows"), 0) for domain in ("inside", "edge", "outside")) == 41
