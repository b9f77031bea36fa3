"""A table with weights and uncertainties of its rows, from the header to the report and new materials."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nestmat import cli, tables
from support.first_study import report_first_study

pytestmark = pytest.mark.slow


def table() -> pd.DataFrame:
    """Rows along a line: a fourth of the labels is uncertain, others are wrong and weigh nothing."""
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1, 1, (2, 120))
    error = np.where(np.arange(120) % 4 == 0, 3.0, 0.02)
    weight = np.where(np.arange(120) % 5 == 0, 0.0, 1.0)
    gap = np.where(weight > 0, 4 + a + 0.5 * b + error * rng.normal(size=120), 60.0)
    return pd.DataFrame({"a": a, "b": b, "gap": gap, "gap_error": error, "trials": weight})


def choose_members(study, scale):
    scale["baselines"] = {
        "extra_trees": scale["baselines"]["extra_trees"] | {"n_estimators": 40},
        "gaussian_process": scale["baselines"]["gaussian_process"] | {"transform": "none"},
        "ridge": scale["baselines"]["ridge"],
    }
    scale["recommended"]["stack"] = ["nestmat", "extra_trees", "gaussian_process"]
    study["tracking"] = "off"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    table().to_csv(folder / "mine.csv", index=False)
    columns = ["--target", "gap:eV:gap_error", "--weights", "trials"]
    report_first_study(folder, columns, choose_members)
    return folder


def test_rows_that_weigh_nothing_are_measured_and_not_learned(folder):
    features = folder / "results/mine/features/materials.parquet"
    schema = tables.schema(features)
    assert schema["trials"].role == "weight"
    assert schema["gap"].uncertainty_column == "gap_error"
    assert [name for name, column in schema.items() if column.role == "feature"] == ["a", "b"]
    rows = tables.read(features).set_index("row_id")
    certain = rows.index[(rows["trials"] > 0) & (rows["gap_error"] < 1)]
    for stem in ("nestmat", "baselines", "recommended"):
        found = tables.read(folder / f"results/mine/predictions/materials/strict/{stem}.parquet", seed=-1)
        held_out = found[(found["split"] == "validation")]
        for model, part in held_out.groupby("model"):
            assert len(part) == 120
            sure = part[part["row_id"].isin(certain)]
            assert (sure["mean"] - sure["true"]).abs().mean() < (0.15 if model == "gaussian_process" else 0.6)
            assert part.loc[part["true"] == 60.0, "mean"].max() < 10


def test_the_report_says_that_rows_are_weighed(folder):
    report = (folder / "results/mine/report.html").read_text()
    assert "rows count in training by <code>trials</code>" in report
    assert (
        "labels <code>gap</code> count less the more uncertain <code>gap_error</code> states them" in report
    )


def test_new_materials_need_no_weights(folder, monkeypatch):
    monkeypatch.chdir(folder)
    pd.DataFrame({"a": [0.0], "b": [0.0]}).to_csv("new.csv", index=False)
    arguments = ["--study", "mine.yaml", "--input", "new.csv", "--output", "o.parquet", "--long"]
    assert cli.main(["predict", *arguments]) == 0
    assert tables.read("o.parquet")["mean"].to_numpy() == pytest.approx([4.0], abs=0.6)


def test_a_negative_weight_stops_the_study_before_training(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    content = (folder / "mine.csv").read_text()
    try:
        (folder / "mine.csv").write_text(content.replace(",0.0\n", ",-1\n", 1))
        assert cli.main(["validate", "mine.yaml"]) == 2
        assert "row 2, column 'trials', value '-1': The weight of the row" in capsys.readouterr().err
    finally:
        (folder / "mine.csv").write_text(content)
