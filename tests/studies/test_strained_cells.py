"""A study without formulas: cells in two files, bonds, a target with a floor, judged by a process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from nestmat import tables
from nestmat.config.loading import study_from
from nestmat.design.domain import training_designs, with_novelty_and_domain
from nestmat.design.judging import judge_materials
from nestmat.design.members import Members, training_rows
from nestmat.design.problem import build_design
from nestmat.errors import InputError
from nestmat.materials.geometry import CELL
from nestmat.materials.monolayers import BONDS, bonds
from nestmat.paths import ROOT
from support.running import finish_study

LOW = np.array([2.8, 2.8, 11.0, 80, 80, 110])
HIGH = np.array([3.5, 3.5, 13.5, 100, 100, 130])
ROWS = 240


def gap(cell: np.ndarray) -> np.ndarray:
    """A gap that falls with the longest and rises with the shortest bond, and is 0 for two cells of five."""
    found = pd.DataFrame(bonds(torch.from_numpy(cell), 0.129).numpy(), columns=list(BONDS))
    value = 2.5 - 3 * (found["bond_6"] - 2.3) - 2 * (2.4 - found["bond_1"]) - 0.1 * found["area"]
    return np.maximum(value - np.quantile(value, 0.4), 0).to_numpy()


def study() -> dict:
    blocks = {"bonds": {"monolayer": {}}, "cell": {"columns": list(CELL)}, "field": {"columns": ["field"]}}
    model = {
        "inputs": ["bonds"],
        "encoder": {"latents": 3, "hidden": [32]},
        "heads": {"gap": {"hidden": [16], "floor": 0.0}},
        "training": {
            "epochs": 150,
            "batch_size": 32,
            "learning_rate": 0.01,
            "schedule": "cosine",
            "seeds": 2,
        },
    }
    between = {
        name: {"between": [float(low), float(high)]} for name, low, high in zip(CELL, LOW, HIGH, strict=True)
    }
    problem = {
        "title": "A gap",
        "scale": "gap",
        "model": "bonds",
        "protocol": "halves",
        "space": {
            "variables": {**between, "field": {"between": [-1, 1]}},
            "symmetries": [{"a": "b", "b": "a", "alpha": "beta", "beta": "alpha"}],
        },
        "targets": [{"quantity": "gap.gap", "value": 0.5, "tolerance": 0.1}],
        "methods": {"random": {"kind": "random"}, "gradient": {"kind": "gradient"}},
        "budget": 2000,
        "seeds": 2,
        "proposals": 20,
        "judges": {"gaussian_process": {"features": {"bonds": {"monolayer": {}}}, "rows": 100}},
        "shortlist": {"method": "gradient", "top": 5},
    }
    columns = {**{name: {} for name in CELL}, "field": {}, "gap": {"unit": "eV", "label": True}}
    table = {
        "title": "Cells",
        "file": "x.csv",
        "names": [*CELL, "field"],
        "further_files": [{"file": "y.csv", "names": ["gap"]}],
        "columns": columns,
        "duplicates": "reject",
    }
    return {
        "study": "strained",
        "title": "Strained cells",
        "question": "Which cell has a gap of half an electronvolt?",
        "tracking": "off",
        "datasets": {"cells": table},
        "strict": {"folds": 2},
        "scales": {
            "gap": {
                "dataset": "cells",
                "targets": ["gap"],
                "features": blocks,
                "splits": {"halves": {"kind": "shared", "folds": 2}},
                "models": {"bonds": {"specification": model}},
            }
        },
        "search": {"half": problem},
    }


@pytest.mark.parametrize(
    ("judges", "message"),
    [
        ({}, "At least one judge is needed"),
        ({"physics": {"gap": "gap.gap"}}, "The judge physics needs the predictions of trees"),
        (
            {
                "gaussian_process": {"features": {"b": {"monolayer": {}}}},
                "physics": {"gap": "gap.gap"},
            },
            "give trees too",
        ),
        (
            {"gaussian_process": {"features": {"b": {"monolayer": {}}}, "nu": 1.0}},
            "has to be 0.5, 1.5 or 2.5",
        ),
    ],
)
def test_judges_that_cannot_be_are_refused(judges, message):
    content = study()
    content["search"]["half"]["judges"] = judges
    with pytest.raises(InputError) as caught:
        study_from(content)
    assert message in str(caught.value)


def test_a_search_of_trees_needs_trees():
    content = study()
    content["search"]["half"]["methods"]["random"]["predictor"] = "trees"
    with pytest.raises(InputError, match=r"methods\.random\.predictor: 'trees' is no judge of the problem"):
        study_from(content)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Working directory with the results of the study, made by Snakemake."""
    path = tmp_path_factory.mktemp("cells")
    random = np.random.default_rng(0)
    cell = random.uniform(LOW, HIGH, size=(ROWS, 6))
    x = np.column_stack([cell, random.uniform(-1, 1, size=ROWS)])
    y = gap(cell)
    again = np.append(np.arange(ROWS), 3)
    files = {"resources": ROOT / "resources"}
    for name, values, digits in (("x.csv", x, 9), ("y.csv", y[:, None], 6)):
        lines = [",".join(f"{value:.{digits}f}" for value in row) for row in values[again]]
        files[name] = "\n".join(lines) + "\n"
    targets = [f"search/half/{name}.parquet" for name in ("metrics", "shortlist")]
    return finish_study(path, study(), *targets, "metrics/gap.parquet", files=files)


@pytest.fixture(scope="module")
def design(folder):
    searched = study_from(study())
    members = Members.in_results(folder, searched.chain("gap", "bonds", "halves"), "halves", 0)
    return replace(build_design(searched, "half", members), data={"gap": folder / "data/cells.parquet"})


@pytest.mark.slow
def test_each_row_is_a_material_of_its_own(folder):
    assert tables.provenance(folder / "data/cells.parquet")["rows_rejected"] == 1
    folds = tables.read(folder / "folds/gap.parquet", protocol="halves")
    assert folds["material"].is_unique
    assert folds["fold"].value_counts().tolist() == [ROWS // 2] * 2


@pytest.mark.slow
def test_training_materials_are_the_rows_that_the_members_saw(folder, design):
    folds = tables.read(folder / "folds/gap.parquet", protocol="halves").set_index("row_id")["fold"]
    data = tables.read(folder / "data/cells.parquet")
    seen = data[(folds.loc[data["row_id"]] == 1).to_numpy()]
    found = training_designs(design)
    assert len(found) == ROWS // 2
    expected = design.space.canonical(seen[list(design.space.columns)].to_numpy())
    np.testing.assert_allclose(np.sort(found, axis=0), np.sort(expected, axis=0))
    frame = with_novelty_and_domain(design, pd.DataFrame(found, columns=list(design.space.columns)))
    assert (frame["novelty"] == 0).all()
    # A canonical cell may have the vectors of a training row exchanged.
    assert (frame["domain"] == "inside").mean() > 0.9
    assert "outside" not in set(frame["domain"])
    far = pd.DataFrame([[*HIGH, 1.0], [*(1.5 * HIGH), 1.0]], columns=list(design.space.columns))
    far = with_novelty_and_domain(design, far)
    assert (far["novelty"] > 0.05).all()
    assert far["domain"].tolist() == ["edge", "outside"]
    assert far["reason"].str.contains("is beyond").all()


@pytest.mark.slow
def test_a_number_that_the_features_lack_is_named(design):
    with pytest.raises(InputError, match=r"features of scale .* have no column") as caught:
        training_rows("gap", design.members, ["a", "strain"])
    assert caught.value.column == "strain"


@pytest.mark.slow
def test_the_judge_saw_the_other_half_and_knows_the_floor(folder, design):
    data = tables.read(folder / "data/cells.parquet")
    folds = tables.read(folder / "folds/gap.parquet", protocol="halves").set_index("row_id")["fold"]
    says = judge_materials(design, data)
    assert list(says) == ["gaussian_process"]
    mean, std = says["gaussian_process"]["gap.gap"]
    assert mean.min() == 0
    assert (std > 0).all()
    error = np.abs(mean - data["gap"]).groupby(folds.loc[data["row_id"]].to_numpy()).mean()
    assert error[0] < 0.5 * error[1]
    assert error[1] < 0.05


@pytest.mark.slow
def test_candidates_are_judged_without_formulas(folder):
    frame = tables.read(folder / "search/half/judged.parquet")
    assert set(frame["method"]) == {"random", "gradient", "uniform", "training"}
    assert (frame.loc[frame["method"] == "training", "novelty"] == 0).all()
    assert (frame["gap.gap.mean"] >= 0).all()
    metrics = tables.read(folder / "search/half/metrics.parquet")
    hits = metrics[(metrics["metric"] == "hit") & (metrics["seed"] == -1)]
    rate = hits.set_index(["judge", "method"])["value"]
    assert rate["gaussian_process", "gradient"] > 0.5 > rate["gaussian_process", "uniform"]
    assert (rate["all"] == rate["gaussian_process"]).all()


@pytest.mark.slow
def test_a_shortlist_tells_what_is_known_without_formulas(folder):
    frame = tables.read(folder / "search/half/shortlist.parquet")
    assert len(frame) == 5
    assert not frame["known"].any()
    assert (folder / "search/half/cif").is_dir()
    assert not list((folder / "search/half/cif").glob("*.cif"))
