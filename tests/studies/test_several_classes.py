"""A table with a target of three classes, from the header to the report and new materials."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nestmat import cli, tables
from support.first_study import report_first_study

pytestmark = pytest.mark.slow

GRADES = ["brittle", "ductile", "tough"]


def table(rows: int = 150) -> pd.DataFrame:
    """Materials whose grade follows from two numbers, with some noise."""
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1, 1, (2, rows))
    number = np.digitize(a + 0.5 * b + 0.15 * rng.normal(size=rows), [-0.35, 0.35])
    return pd.DataFrame({"a": a, "b": b, "grade": np.array(GRADES)[number]})


def choose_members(_study, scale):
    for name in ("extra_trees", "xgboost"):
        scale["baselines"][name] |= {"n_estimators": 40}
    scale["baselines"]["prior"] = {"kind": "mean", "inputs": ["descriptors"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grades")
    table().to_csv(folder / "mine.csv", index=False)
    report_first_study(folder, ["--target", "grade"], choose_members)
    return folder


def test_every_model_is_measured_over_all_classes(folder):
    metrics = tables.read(
        folder / "results/mine/metrics/materials.parquet", seed=-1, split="validation", fold=-1
    )
    of_target = metrics[metrics["target"] == "grade"]
    assert set(metrics["target"]) == {"grade"}
    assert {"accuracy", "f1", "roc_auc", "log_loss", "brier", "ece"} <= set(of_target["metric"])
    value = of_target.set_index(["model", "metric"])["value"]
    for model in ("nestmat", "extra_trees", "hist_gradient_boosting", "recommended"):
        assert value[model, "accuracy"] > 0.7
        assert value[model, "roc_auc"] > 0.85
        assert value[model, "log_loss"] < 0.6 * value["prior", "log_loss"]


def test_probabilities_of_a_row_sum_to_one(folder):
    for stem in ("nestmat", "baselines", "recommended"):
        found = tables.read(folder / f"results/mine/predictions/materials/strict/{stem}.parquet", seed=-1)
        assert set(found["target"]) == {f"grade: {grade}" for grade in GRADES}
        rows = found.groupby(["model", "fold", "inner", "split", "row_id"])
        np.testing.assert_allclose(rows["mean"].sum(), 1, atol=1e-5)
        np.testing.assert_allclose(rows["true"].sum(), 1)


def test_report_and_figures_show_the_classes(folder):
    report = (folder / "results/mine/report.html").read_text()
    for text in ("Accuracy 0.", "the more frequent class", "Classes taken for others", "AUC"):
        assert text in report, text
    drawn = {path.stem for path in (folder / "results/mine/figures").glob("*/*.svg")}
    assert {"confusion", "roc", "calibration", "errors"} <= drawn
    assert not {"parity", "elements"} & drawn


def test_new_materials_get_a_class_and_the_probability_of_each(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    pd.DataFrame({"a": [-0.9, 0.0, 0.9], "b": [-0.5, 0.0, 0.5]}).to_csv("new.csv", index=False)
    arguments = ["--study", "mine.yaml", "--input", "new.csv", "--output", "o.parquet", "--long"]
    assert cli.main(["predict", *arguments]) == 0
    out = tables.read("o.parquet")
    named = out[out["target"] == "grade"]
    assert named["class"].tolist() == GRADES
    each = out[out["target"] != "grade"].pivot(index="row", columns="target", values="mean")
    np.testing.assert_allclose(each.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(each.max(axis=1), named.set_index("row")["mean"])
    assert (out.loc[out["target"] != "grade", "class"] == "").all()
    assert "grade: 1 brittle, 1 ductile, 1 tough\n" in capsys.readouterr().out
