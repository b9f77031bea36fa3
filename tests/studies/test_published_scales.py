"""Two published scales, made small, through the whole workflow to report, store and prediction."""

import shutil

import pandas as pd
import pytest
import yaml

from nestmat import cli, tables
from nestmat.paths import ROOT
from support.running import finish_study, snakemake

pytestmark = [pytest.mark.slow, pytest.mark.mirror]

SMALL = {"epochs": 10, "seeds": 1}


def small_study():
    study = yaml.safe_load((ROOT / "resources/studies/nestedae_binding.yaml").read_text())
    study["strict"] = {"folds": 3}
    for scale in study["scales"].values():
        scale["splits"] = {"published": {**scale["splits"]["published"], "folds": 3}}
        scale["models"] = {k: v for k, v in scale["models"].items() if k in ("nestmat", "single_scale")}
        for model in scale["models"].values():
            model.pop("protocols", None)
            model["specification"]["training"] |= SMALL
        scale["baselines"] = {"ridge": scale["baselines"]["ridge"]}
        scale["baselines"]["ridge"].pop("protocols", None)
        scale["recommended"] = {"stack": ["nestmat", "ridge"]}
    study["scales"]["gap"] |= {"sweep": {"model": "nestmat", "latents": [2, 3]}, "interpret": None}
    study["scales"]["binding"]["interpret"] |= {"permutations": 99, "background": 4}
    study["scales"]["binding"]["sweep"] = None
    latents = {"scale": "binding", "model": "nestmat", "protocol": "published"}
    study["scales"]["binding"]["pool"] |= {
        "trials": 4,
        "picks": 20,
        "representations": {"descriptors": {"blocks": ["solvent"]}, "nestmat": {"latents": latents}},
    }
    return study


@pytest.fixture(scope="module")
def finished(mirror, tmp_path_factory):
    """A folder with the finished study."""
    folder = tmp_path_factory.mktemp("workflow")
    finish_study(folder, small_study())
    return folder


def results(folder):
    return folder / "results" / "nestedae_binding"


def test_every_stage_left_its_table_and_the_report_stands_alone(finished):
    report = (results(finished) / "report.html").read_text()
    assert "Band gap" in report
    assert "<svg" in report or "data:image/svg" in report
    assert "<script src" not in report
    metrics = tables.read(results(finished) / "metrics" / "binding.parquet", split="validation", metric="mae")
    assert set(metrics["model"]) == {"nestmat", "single_scale", "ridge", "recommended"}
    assert set(metrics["protocol"]) == {"strict", "published"}
    searches = tables.read(results(finished) / "pool" / "binding.parquet")
    assert set(searches["representation"]) == {"random", "descriptors", "nestmat"}
    assert "Search in the pool" in report


def test_a_material_that_is_validated_trains_no_scale_of_its_fold(finished):
    folds = {
        scale: tables.read(results(finished) / "folds" / f"{scale}.parquet", protocol="strict")
        for scale in ("gap", "binding")
    }
    fold_of = folds["binding"].groupby("material")["fold"].unique().map(lambda f: f[0])
    both = folds["gap"][folds["gap"]["material"].isin(fold_of.index)]
    assert len(both) > 0
    assert (both["fold"].to_numpy() == fold_of[both["material"]].to_numpy()).all()


def test_a_second_run_does_nothing(finished):
    assert "Nothing to be done" in snakemake(finished)


def test_a_lost_model_comes_back_the_same_to_the_bit(finished):
    model = results(finished) / "models" / "gap" / "strict" / "nestmat.safetensors"
    before = model.read_bytes()
    model.unlink()
    snakemake(finished, str(model.relative_to(finished)), "--force")
    assert model.read_bytes() == before


def test_results_are_the_same_without_tracking(finished, tmp_path):
    shutil.copytree(finished / "downloads", tmp_path / "downloads")
    finish_study(tmp_path, {**small_study(), "tracking": "off"}, "metrics/gap.parquet")
    assert not (tmp_path / "mlflow").exists()
    for kind in ("metrics/gap", "predictions/gap/strict/recommended"):
        one, other = (tables.read(results(f) / f"{kind}.parquet") for f in (finished, tmp_path))
        pd.testing.assert_frame_equal(one, other)


def test_the_store_holds_one_parent_run_and_a_child_for_each_model(finished):
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{finished / 'mlflow' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("nestmat")
    runs = client.search_runs([experiment.experiment_id])
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert len(runs) - len(children) == 1
    # gap: nestmat, ridge, recommended; binding: single_scale beside them; each in two protocols.
    assert len(children) == 2 * 3 + 2 * 4
    assert all(run.data.metrics for run in children)


def test_the_trained_chain_predicts_new_formulas_and_rejects_bad_ones(finished, monkeypatch, capsys):
    monkeypatch.chdir(finished)
    lines = [
        "formula,SOLVENT",
        "CsPbI3,DMSO",
        "FAPbBr3,DMF",
        "FAPbI3-x,DMF",
        "CsPbI3,WATER",
        "MAPbBr1.5Cl1.5,GBL",
    ]
    (finished / "new.csv").write_text("\n".join(lines) + "\n")
    arguments = ["predict", "--study", "study.yaml", "--input", "new.csv", "--output", "out.parquet"]
    arguments += ["--long", "--overwrite"]
    assert cli.main(arguments) == 0
    out = tables.read(finished / "out.parquet")
    assert list(out["row"].unique()) == [2, 3, 6]
    assert set(out["target"]) == {"Gap", "Target"}
    assert (out["std"] > 0).all()
    assert (out["low"] < out["mean"]).all()
    rejects = tables.read(finished / "out.rejects.parquet")
    assert list(zip(rejects["row"], rejects["column"], strict=True)) == [(4, "formula"), (5, "SOLVENT")]
