"""Design problems: from the configuration to candidates, their judges, lists and files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from pymatgen.core import Structure

from nestmat import tables
from nestmat.commands.validate import describe
from nestmat.config.loading import study_from
from nestmat.errors import InputError
from nestmat.paths import ROOT

SITES = {
    "A": {"species": ["Rb", "Cs"], "grid": 4},
    "B": {"species": ["Ge", "Sn"], "grid": 4},
    "X": {"species": ["Br", "I"], "grid": 4},
}


HEAD = {"hidden": [16]}
TRAINING = {"epochs": 40, "seeds": 2, "learning_rate": 0.01}
PROCESS = [
    "log_thickness",
    "log_diffusion_length",
    "log_front_velocity",
    "log_back_velocity",
    "log_radiative_efficiency",
]


def study() -> dict:
    """Two small scales on the calculations that ship with nestmat, and a problem that searches them."""
    default = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    halves = {"halves": {"kind": "shared", "folds": 2}}
    ions = {"descriptors": {"site_descriptors": ["A", "B", "X"]}, "geometry": {"perovskite": True}}

    def scale(dataset, targets, inputs, **more):
        model = {
            "specification": {
                "inputs": inputs,
                "encoder": {"latents": 4, "hidden": [16]},
                "heads": dict.fromkeys(targets, HEAD),
                "training": TRAINING,
            }
        }
        return {"dataset": dataset, "targets": targets, "splits": halves, "models": {"nested": model}, **more}

    problem = default["search"]["lead_free"]
    problem["methods"] = {"random": {"kind": "random"}, "genetic": {"kind": "genetic", "title": "Breeding"}}
    problem |= {"budget": 1500, "seeds": 2, "proposals": 20, "shortlist": {"method": "genetic", "top": 5}}
    problem["verify"] |= {"file": "calculated.parquet"}
    problem["judges"]["trees"]["trees"] = 30
    cells = default["datasets"]["cells"] | {"generator": {"kind": "perovskite_devices", "rows": 600}}
    return {
        "study": "designs",
        "title": "Designs",
        "question": "What makes a cell?",
        "tracking": "off",
        "datasets": {"calculations": default["datasets"]["calculations"], "cells": cells},
        "strict": {"folds": 2},
        "scales": {
            "electronic": scale(
                "calculations",
                ["gap", "lattice", "formation_energy"],
                ["descriptors", "geometry", "strain"],
                features={**ions, "strain": {"columns": ["strain"]}},
            ),
            "device": scale(
                "cells",
                ["pce"],
                ["electronic", "process"],
                parents=["electronic"],
                pass_prediction=True,
                features={"process": {"columns": PROCESS}},
            ),
        },
        "search": {"lead_free": problem},
    }


@pytest.fixture(scope="module")
def searched(tmp_path_factory) -> Path:
    """Results of the problem, made by Snakemake in a working directory of their own."""
    folder = tmp_path_factory.mktemp("search")
    (folder / "resources").symlink_to(ROOT / "resources")
    tables_of = ROOT / "resources" / "reference" / "compounds.parquet"
    compounds = tables.read(tables_of)
    tables.write(folder / "calculated.parquet", compounds, tables.schema(tables_of), {})
    (folder / "study.yaml").write_text(yaml.safe_dump(study(), sort_keys=False), encoding="utf-8")
    results = folder / "results" / "designs"
    targets = ("metrics", "shortlist", "structures", "verified")
    run = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2"),
            *(f"results/designs/search/lead_free/{name}.parquet" for name in targets),
            *("--configfile", "study.yaml"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return results / "search" / "lead_free"


@pytest.mark.slow
def test_candidates_are_judged_by_models_that_saw_other_materials(searched):
    frame = tables.read(searched / "judged.parquet")
    assert set(frame["method"]) == {"random", "genetic", "uniform", "training"}
    assert frame[frame["method"] == "genetic"].groupby("seed").size().to_dict() == {0: 20, 1: 20}
    # What the judges were trained on is what the searched members left out.
    known = frame[frame["method"] == "training"]
    assert (known["novelty"] == 0).all()
    gap = frame["trees.electronic.gap.mean"]
    kept = gap.between(1.2, 1.5) & (frame["trees.electronic.formation_energy.mean"] <= 0)
    kept &= frame["perovskite.mean"] >= 0.5
    for judge, pce in (("trees", "trees.device.pce.mean"), ("physics", "physics.device.pce.mean")):
        np.testing.assert_array_equal(frame[f"{judge}.hit"], kept & (frame[pce] >= 20))
    # The physics knows no efficiency above the limit of the gap that it was given.
    assert (frame["physics.device.pce.mean"] <= 33.8).all()
    units = {name: column.unit for name, column in tables.schema(searched / "judged.parquet").items()}
    assert units["physics.device.pce.mean"] == units["limit.mean"] == "%"
    assert units["trees.electronic.gap.std"] == "eV"


@pytest.mark.slow
def test_rates_are_those_of_the_judged_candidates(searched):
    frame, metrics = tables.read(searched / "judged.parquet"), tables.read(searched / "metrics.parquet")
    part = frame[(frame["method"] == "genetic") & (frame["seed"] == 1)]
    rows = metrics[(metrics["method"] == "genetic") & (metrics["seed"] == 1)]
    value = rows.set_index(["metric", "judge"])["value"].sort_index()
    assert value["hit", "physics"].item() == part["physics.hit"].mean()
    both = part["physics.hit"] & part["trees.hit"] & (part["novelty"] >= 0.05) & part["in_domain"]
    assert value["hit_new_in_domain", "all"].item() == both.mean()
    error = (part["device.pce.mean"] - part["physics.device.pce.mean"]).mean()
    assert value["optimism:device.pce", "physics"].item() == pytest.approx(error)
    distinct = frame[frame["method"] == "genetic"].drop_duplicates(["formula", "log_thickness"])
    pooled = metrics[(metrics["method"] == "genetic") & (metrics["seed"] == -1)]
    assert pooled.set_index("metric")["value"]["candidates"] == len(distinct)


@pytest.mark.slow
def test_a_shortlist_is_written_for_other_programs(searched):
    frame = tables.read(searched / "shortlist.parquet")
    assert len(frame) == 5
    assert frame["formula"].is_unique
    csv = pd.read_csv(searched / "candidates.csv")
    assert "device.pce.mean (%)" in csv
    np.testing.assert_allclose(csv["electronic.gap.mean (eV)"], frame["electronic.gap.mean"])
    lines = [json.loads(line) for line in (searched / "candidates.jsonl").read_text().splitlines()]
    assert lines[0]["units"]["device.pce.mean"] == "%"
    assert [line["formula"] for line in lines[1:]] == frame["formula"].tolist()
    files = sorted((searched / "cif").glob("*.cif"))
    assert len(files) == 5
    assert "idealised" in files[0].read_text().splitlines()[1]
    structure = Structure.from_file(files[0])
    assert structure.lattice.a == pytest.approx(frame["electronic.lattice.mean"][0], abs=1e-3)
    assert structure.composition.get_atomic_fraction("Pb") == 0
    assert sum(structure.composition.values()) == pytest.approx(5)


@pytest.mark.slow
def test_structures_for_dft_are_new_and_fit_into_ten_atoms(searched):
    frame = tables.read(searched / "structures.parquet")
    known = set(tables.read(ROOT / "resources" / "reference" / "compounds.parquet")["formula"])
    assert len(frame) == 12
    assert not set(frame["formula"]) & known
    assert not frame["known"].any()
    listed = pd.read_csv(searched / "structures.csv")
    assert listed["formula"].tolist() == frame["formula"].tolist()
    assert listed["lattice"].between(4.5, 7).all()


@pytest.mark.slow
def test_predictions_stand_beside_calculations_of_the_space(searched):
    frame = tables.read(searched / "verified.parquet")
    known = tables.read(ROOT / "resources" / "reference" / "compounds.parquet").set_index("formula")
    assert not frame["formula"].str.contains("Pb|Cd|F").any(), "outside of the space"
    assert frame["trained_on"].all(), "the reference set is what the members were trained on"
    gap = frame[frame["quantity"] == "electronic.gap"].set_index("formula")
    np.testing.assert_allclose(gap["calculated"], known.loc[gap.index, "gap"])
    assert (gap["mean"] - gap["calculated"]).abs().median() < 0.3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": "cell"}, "is not one of"),
        ({"model": "other"}, "is not a model of the scale"),
        ({"protocol": "strict"}, "is not a split of kind shared"),
        ({"targets": [{"quantity": "device.gap", "goal": "maximise"}]}, "is not one of"),
        ({"targets": [{"quantity": "device.pce"}]}, "Exactly one of value, between, goal"),
        ({"constraints": [{"quantity": "tau"}]}, "At least one of low and high is needed"),
        ({"judges": None}, "need judges"),
        ({"shortlist": {"method": "luck"}}, "is not one of"),
    ],
)
def test_faulty_problems_are_told_by_their_key(change, message):
    data = study()
    data["search"]["lead_free"] |= change
    with pytest.raises(InputError, match=message):
        study_from(data)


def test_a_problem_is_not_called_like_a_scale():
    data = study()
    data["search"]["device"] = data["search"].pop("lead_free")
    with pytest.raises(InputError, match="The name is that of a scale"):
        study_from(data)


def test_a_searched_model_does_not_read_whole_compositions():
    data = study()
    scale = data["scales"]["electronic"]
    scale["features"]["magpie"] = {"composition": "magpie"}
    scale["models"]["nested"]["specification"]["inputs"].append("magpie")
    with pytest.raises(InputError, match="'magpie' describes whole compositions"):
        study_from(data)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("methods", {"genetic": {"kind": "ranking"}}, "cannot rank the 50400 materials"),
        ("space", {"sites": {**SITES, "B": {"species": ["Zz"]}}}, "Zz"),
    ],
)
def test_faults_of_a_problem_are_told_before_anything_runs(key, value, message, monkeypatch):
    monkeypatch.chdir(ROOT)
    data = study()
    data["search"]["lead_free"][key] = value
    with pytest.raises(InputError, match=message) as caught:
        describe(study_from(data), "study.yaml")
    assert str(caught.value).startswith("study.yaml, key 'search.lead_free.")
    assert "  problem lead_free: 50,400 materials; methods: random, genetic" in describe(study_from(study()))
