"""A finer scale without targets, over an enumerated space, below a scale that predicts."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from nestmat import cli, tables
from support.running import finish_study

pytestmark = pytest.mark.slow

SPECIES = {"a": ["K", "Cs"], "b": ["Ge", "Sn", "Pb"], "x": ["Cl", "Br", "I"]}
TRAINING = {"epochs": 30, "seeds": 1, "learning_rate": 0.01}


def study() -> dict:
    blocks = {"ions": {"site_descriptors": ["A", "B", "X"]}, "halides": {"site": "X"}}
    decoder = {"ions": {"hidden": [12]}, "halides": {"loss": "cross_entropy"}}
    head = {"loss": "gaussian_nll"}
    return {
        "study": "spaces",
        "title": "Compositions and gaps",
        "question": "Does a space of compositions help to predict gaps?",
        "datasets": {
            "space": {
                "title": "All compositions",
                "generator": {"kind": "perovskite_space", **SPECIES, "steps": 2},
                "formula": "formula",
                "columns": {},
            },
            "gaps": {
                "title": "Gaps",
                "file": "gaps.parquet",
                "formula": "formula",
                "columns": {"strain": {}, "gap": {"unit": "eV", "label": True, "uncertainty": 0.012}},
            },
        },
        "strict": {"folds": 3},
        "scales": {
            "ionic": {
                "dataset": "space",
                "features": blocks,
                "models": {
                    "nestmat": {
                        "specification": {
                            "inputs": ["ions", "halides"],
                            "encoder": {"latents": 4, "hidden": [16]},
                            "heads": decoder,
                            "training": TRAINING,
                        }
                    }
                },
                "sweep": {"model": "nestmat", "latents": [1, 4], "known_dimensions": 4},
                "interpret": {"model": "nestmat", "permutations": 99, "background": 4},
            },
            "electronic": {
                "dataset": "gaps",
                "parents": ["ionic"],
                "targets": ["gap"],
                "features": {"strain": {"columns": ["strain"]}, "perovskite": {"perovskite": True}},
                "models": {
                    name: {
                        "specification": {
                            "inputs": ["strain", *inputs],
                            "encoder": {"latents": 4, "hidden": [16]},
                            "heads": {"gap": head},
                            "training": TRAINING,
                        }
                    }
                    for name, inputs in (("nestmat", ["ionic"]), ("single_scale", ["perovskite"]))
                },
                "baselines": {"ridge": {"kind": "ridge", "inputs": ["strain", "perovskite"]}},
                "recommended": {"stack": ["nestmat", "ridge"]},
                "compare": [["nestmat", "single_scale"]],
            },
        },
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with the finished study."""
    folder = tmp_path_factory.mktemp("spaces")
    strains = np.array([-0.02, 0.0, 0.02])
    gaps = {"Ge": 1.0, "Sn": 1.2, "Pb": 1.8, "Cl": 1.0, "Br": 0.5, "I": 0.0}
    rows = [
        (f"{a}{b}{x}3", strain, gaps[b] + gaps[x] + 8 * strain)
        for a in SPECIES["a"]
        for b in SPECIES["b"]
        for x in SPECIES["x"]
        for strain in strains
    ]
    frame = pd.DataFrame(rows, columns=["formula", "strain", "gap"])
    finish_study(folder, study(), files={"gaps.parquet": frame})
    return folder


def test_the_scale_without_targets_is_measured_by_what_its_latents_give_back(finished):
    metrics = tables.read(finished / "results/spaces/metrics/ionic.parquet")
    assert set(metrics["metric"]) == {"reconstruction_r2"}
    assert set(metrics["target"]) == {"ions", "halides"}
    assert set(metrics["fold"]) == {-1, 0, 1, 2}
    pooled = metrics[metrics["fold"] == -1].set_index("target")["value"]
    assert pooled["ions"] > 0.3
    child = tables.read(finished / "results/spaces/metrics/electronic.parquet", metric="mae")
    assert set(child["target"]) == {"gap"}


def test_the_report_tells_of_both_scales(finished):
    report = (finished / "results/spaces/report.html").read_text()
    for text in (
        "nothing to predict",
        "4 latents reconstruct the blocks",
        "Predicts nothing: it only provides latents",
        "Blocks reconstructed from the latents",
        "standard uncertainty of 0.012",
        "perovskite_space",
    ):
        assert text in report


def test_a_material_of_the_child_trains_the_space_of_no_fold_that_validates_it(finished):
    folds = {
        scale: tables.read(finished / f"results/spaces/folds/{scale}.parquet", protocol="strict")
        for scale in ("ionic", "electronic")
    }
    fold_of = folds["electronic"].drop_duplicates("material").set_index("material")["fold"]
    shared = folds["ionic"][folds["ionic"]["material"].isin(fold_of.index)]
    assert len(shared) == len(fold_of) == 18
    assert (shared["fold"].to_numpy() == fold_of[shared["material"]].to_numpy()).all()


def test_both_scales_are_in_the_store(finished):
    import mlflow

    assert "error" not in json.loads((finished / "results/spaces/tracking.json").read_text())
    client = mlflow.MlflowClient(f"sqlite:///{finished / 'mlflow' / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("nestmat").experiment_id])
    found = {run.data.tags["nestmat.key"]: run for run in runs}
    assert {"ionic/strict/nestmat", "electronic/strict/nestmat"} <= set(found)
    assert "validation/ions/reconstruction_r2" in found["ionic/strict/nestmat"].data.metrics


def test_predict_gives_the_child_of_a_new_formula(finished, monkeypatch):
    monkeypatch.chdir(finished)
    (finished / "new.csv").write_text("formula,strain\nCsSn0.5Pb0.5I3,0.01\nCsPbI3,0\nCsMgI3,0\n")
    arguments = ["predict", "--study", "study.yaml", "--input", "new.csv", "--output", "out.parquet"]
    arguments += ["--long", "--overwrite"]
    assert cli.main(arguments) == 0
    out = tables.read(finished / "out.parquet")
    assert list(out["scale"].unique()) == ["electronic"]
    assert {2, 3} <= set(out["row"])
    assert np.isfinite(out["mean"]).all()
    assert cli.main([*arguments, "--scale", "ionic"]) == 2


def test_validate_describes_the_study(finished, monkeypatch, capsys):
    monkeypatch.chdir(finished)
    assert cli.main(["validate", "study.yaml"]) == 0
    told = capsys.readouterr().out
    assert "scale ionic: no target" in told
    assert "generator perovskite_space" in told
    assert "from gaps.parquet" in told
