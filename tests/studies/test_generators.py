"""Design of strained MoS2 through Snakemake, small: from networks to the report."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import yaml

from nestmat import cli, tables
from nestmat.paths import ROOT
from support.running import finish_study, snakemake

pytestmark = [pytest.mark.slow, pytest.mark.mirror]
METHODS = ("spline", "taught", "taught_localised", "retrieval", "uniform_filtered")


def small_study():
    study = yaml.safe_load((ROOT / "resources/studies/matdesinne_mos2.yaml").read_text())
    [scale] = study["scales"].values()
    scale["models"] = {"bonds": scale["models"]["bonds"]}
    scale["models"]["bonds"]["specification"]["training"] |= {"epochs": 4, "seeds": 2}
    scale |= {"baselines": {}, "compare": [], "recommended": None, "interpret": None}
    study["strict"] = {"folds": 2}
    study["published"] = []
    problem = study["search"]["gap_050"]
    problem["methods"] = {name: problem["methods"][name] for name in METHODS}
    problem["methods"]["taught_localised"] |= {"steps": 10, "accept": 0.1}
    problem["methods"]["uniform_filtered"] |= {"samples": 2000, "accept": 0.1}
    problem["constraints"][0]["high"] = 0.5
    # Trees, for a Gaussian process is exact on all rows of its half.
    problem["judges"] = {"trees": problem["judges"]["gaussian_process"] | {"trees": 20}}
    problem |= {"seeds": 2, "proposals": 200, "verify": None}
    problem["shortlist"] = {"method": "taught_localised", "top": 20}
    study["search"] = {"gap_050": problem}
    models = {problem["methods"][name]["model"] for name in METHODS}
    study["generative"] = {name: study["generative"][name] for name in models}
    for given in study["generative"].values():
        if given["kind"] == "flow":
            given |= {"steps": 60, "width": 32, "blocks": 1, "batch": 128}
        given["seeds"] = 2
    study["generative"]["taught"]["pseudo_labels"] |= {"rows": 4000, "spread": 0.5}
    study["dft"] = None
    return study


@pytest.fixture(scope="module")
def finished(mirror, tmp_path_factory):
    """A folder with the finished study."""
    folder = tmp_path_factory.mktemp("generative")
    finish_study(folder, small_study())
    return folder


def results(folder):
    return folder / "results/matdesinne_mos2"


def test_repeated_rows_are_left_out_and_no_cell_is_in_both_halves(finished):
    rejects = tables.read(results(finished) / "data/cells.rejects.parquet")
    assert len(rejects) == 368
    folds = tables.read(results(finished) / "folds/gap.parquet", protocol="halves")
    features = tables.read(results(finished) / "features/gap.parquet")
    merged = features.merge(folds[["row_id", "fold"]], on="row_id")
    assert len(merged) == 10_430
    assert merged.groupby(["a", "b", "c", "alpha", "beta", "gamma", "field"])["fold"].nunique().max() == 1


def test_every_method_is_judged_and_measured(finished):
    folder = results(finished) / "search/gap_050"
    metrics = tables.read(folder / "metrics.parquet", seed=-1)
    assert {*METHODS, "uniform", "training"} <= set(metrics["method"])
    told = {(row.method, row.metric): row.value for row in metrics.itertuples()}
    assert told["spline", "inside"] == 1
    assert told["retrieval", "error:gap.gap"] < told["uniform", "error:gap.gap"]
    assert 0 <= told["taught_localised", "yield"] <= 1
    judged = tables.read(folder / "judged.parquet")
    bounds = small_study()["search"]["gap_050"]["space"]["variables"]
    for name, about in bounds.items():
        assert judged[name].between(*about["between"]).all()


def test_the_report_shows_what_the_models_give(finished):
    page = (results(finished) / "report.html").read_text()
    for title in ("Accuracy and diversity", "Before and after filter", "Candidates among the rows"):
        assert title in page


def test_a_second_run_does_nothing(finished):
    assert "Nothing to be done" in snakemake(finished)


def test_materials_are_drawn_for_another_value(finished, monkeypatch, capsys):
    monkeypatch.chdir(finished)
    told = ["design", "--study", "study.yaml", "--problem", "gap_050", "--count", "30", "--value", "0.8"]
    assert cli.main([*told, "--output", "cells.csv"]) == 0
    assert "30 materials of" in capsys.readouterr().out
    drawn = pd.read_csv("cells.csv")
    assert len(drawn) == 30
    assert np.all(np.abs(drawn["gap.gap.mean"] - 0.8) <= 0.1)
    assert cli.main([*told, "--method", "spline", "--output", "more.csv"]) == 2
    assert "only that of a shortlist's method is trained" in capsys.readouterr().err
    assert cli.main([*told, "--method", "gradient", "--output", "more.csv"]) == 2
    assert "choose one of spline" in capsys.readouterr().err
