"""A study of alloys from one file: fractions and descriptors, searched in many ways, judged by trees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from nestmat import tables
from nestmat.config.loading import study_from
from nestmat.design.domain import training_designs
from nestmat.design.members import Members
from nestmat.design.problem import build_design
from nestmat.errors import InputError
from nestmat.features.blocks.alloy import alloy_descriptors
from nestmat.features.matminer_cache import CACHE
from nestmat.materials.alloys import DESCRIPTORS
from nestmat.materials.formulas import parse
from nestmat.paths import ROOT
from nestmat.search.methods.conditional_decoder import ROUNDED
from nestmat.search.spaces.alloys import Alloy
from nestmat.search.spaces.simplex import Simplex
from support.running import finish_study

ELEMENTS = ["Al", "Co", "Cr", "Cu", "Fe", "Ni", "Ti"]
ROWS = 160
METHODS = ("random", "genetic", "gradient", "latent")


def hardness(features: pd.DataFrame) -> pd.Series:
    """A property that rises with the mismatch of radii and the attraction of unlike atoms."""
    return 50 * features["radius_mismatch"] - 8 * features["mixing_enthalpy"] + 20 * features["vec"]


def study() -> dict:
    model = {
        "inputs": ["fractions", "alloy"],
        "encoder": {"latents": 8, "hidden": [48]},
        "heads": {"hardness": {"hidden": [24]}, "fractions": {"loss": "cross_entropy", "hidden": [24]}},
        "training": {
            "epochs": 200,
            "batch_size": 32,
            "learning_rate": 0.01,
            "schedule": "cosine",
            "seeds": 2,
        },
    }
    problem = {
        "title": "A hard alloy",
        "scale": "hardness",
        "model": "net",
        "protocol": "halves",
        "space": {
            "elements": {
                "species": ELEMENTS,
                "grid": 100,
                "fewest": 3,
                "most": 5,
                "least": 0.05,
                "bounds": {name: [0, 0.45] for name in ELEMENTS},
            }
        },
        "targets": [
            {"quantity": "hardness.hardness", "goal": "maximise", "enough": 600.0, "tolerance": 20.0}
        ],
        "methods": {name: {"kind": name} for name in METHODS},
        "budget": 2000,
        "seeds": 2,
        "proposals": 20,
        "judges": {
            "trees": {
                "features": {
                    "magpie": {"composition": "magpie"},
                    "descriptors": {"alloy": True},
                    "yang": {"matminer": {"YangSolidSolution": {}}},
                },
                "trees": 100,
            }
        },
        "shortlist": {"method": "gradient", "top": 5},
        "interpolate": {"between": ["AlCoCr", "CuFeNiTi"], "steps": 5},
    }
    table = {
        "title": "Alloys",
        "file": "alloys.csv",
        "comment": "#",
        "formula": "alloy",
        "elements": ELEMENTS,
        "duplicates": "first",
        "columns": {"hardness": {"unit": "HV", "label": True}},
    }
    return {
        "study": "alloys",
        "title": "Hard alloys",
        "question": "Which alloy is hard?",
        "tracking": "off",
        "datasets": {"alloys": table},
        "strict": {"folds": 2},
        "scales": {
            "hardness": {
                "dataset": "alloys",
                "targets": ["hardness"],
                "features": {
                    "fractions": {"elements": ELEMENTS},
                    "alloy": {"alloy": True},
                    "yang": {"matminer": {"YangSolidSolution": {}}},
                },
                "splits": {"halves": {"kind": "shared", "folds": 2}},
                "models": {"net": {"specification": model}},
            }
        },
        "search": {"hard": problem},
    }


def test_a_searched_model_may_not_read_whole_compositions():
    content = study()
    content["scales"]["hardness"]["models"]["net"]["specification"]["inputs"].append("yang")
    with pytest.raises(InputError, match="elements, alloy or monolayer blocks"):
        study_from(content)


def alloys() -> pd.DataFrame:
    """Random alloys of three to five elements in whole percent, with their hardness."""
    space = Alloy(Simplex(ELEMENTS, 100, fewest=3, most=5, least=0.05))
    texts = space.formulas(space.sample(ROWS, 1))
    block = alloy_descriptors([parse(text) for text in texts])
    values = hardness(pd.DataFrame(block.values, columns=block.columns))
    return pd.DataFrame({"alloy": texts, "hardness": values.round(6)})


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Working directory with the results of the study, made by Snakemake."""
    path = tmp_path_factory.mktemp("alloys")
    frame = alloys()
    extra = pd.DataFrame({"alloy": ["AlU", frame["alloy"][3]], "hardness": [1.0, 2.0]})
    text = pd.concat([frame, extra]).to_csv(index=False)
    files = {"alloys.csv": "# hardness in HV\n" + text, "resources": ROOT / "resources"}
    targets = [f"search/hard/{name}.parquet" for name in ("metrics", "shortlist", "interpolation")]
    finish_study(path, study(), *targets, "metrics/hardness.parquet", files=files)
    return path


@pytest.fixture(scope="module")
def design(folder):
    root = folder / "results/alloys"
    searched = study_from(study())
    members = Members.in_results(root, searched.chain("hardness", "net", "halves"), "halves", 0)
    return build_design(searched, "hard", members)


@pytest.mark.slow
def test_rows_are_read_and_featurized(folder):
    root = folder / "results/alloys"
    rejects = tables.read(root / "data/alloys.rejects.parquet")
    assert rejects["row"].tolist() == [ROWS + 3, ROWS + 4]
    assert rejects["reason"].tolist() == [
        "holds another element than those of the data set",
        "repeats row 6 with another hardness",
    ]
    features = tables.read(root / "features/hardness.parquet")
    assert len(features) == ROWS
    assert {*ELEMENTS, *DESCRIPTORS, "Yang delta"} <= set(features.columns)
    np.testing.assert_allclose(features[ELEMENTS].sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(hardness(features), features["hardness"], atol=1e-5)
    [store] = (folder / CACHE).iterdir()
    assert store.name.startswith("YangSolidSolution-")
    held = pd.concat([tables.read(path) for path in store.glob("*.parquet")])
    assert len(held) > ROWS, "judges keep the candidates that they featurize"


@pytest.mark.slow
def test_the_surrogate_has_slopes_in_a_space_of_alloys(design):
    u = torch.randn(8, len(ELEMENTS), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    u.requires_grad_(True)
    x = design.space.from_free(u)
    mean, _ = design.problem.predict(x)["hardness.hardness"]
    (slope,) = torch.autograd.grad(mean.sum(), u)
    assert torch.isfinite(slope).all()
    assert (slope.abs().sum(dim=1) > 0).all()
    features = design.surrogate.maps["hardness"](x)
    assert features.shape == (8, len(ELEMENTS) + len(DESCRIPTORS))


@pytest.mark.slow
def test_candidates_are_alloys_of_the_space_and_judged(folder, design):
    frame = tables.read(folder / "results/alloys/search/hard/judged.parquet")
    assert set(frame["method"]) == {*METHODS, "uniform", "training"}
    x = frame[ELEMENTS].to_numpy()
    np.testing.assert_array_equal(design.space.canonical(x), x)
    assert ((x > 0).sum(axis=1) >= 3).all()
    assert ((x > 0).sum(axis=1) <= 5).all()
    for text, row in zip(frame["formula"], x, strict=True):
        amounts = {element.symbol: amount for element, amount in parse(text).composition.items()}
        assert amounts == {
            name: round(100 * share) for name, share in zip(ELEMENTS, row, strict=True) if share
        }
    assert np.isfinite(frame["trees.hardness.hardness.mean"]).all()
    assert len(training_designs(design)) > 5
    assert (frame.loc[frame["method"] == "training", "novelty"] < ROUNDED).all()
    best = frame.groupby("method")["trees.hardness.hardness.mean"].mean()
    for name in ("genetic", "gradient"):
        assert best[name] > best["uniform"] + 50


@pytest.mark.slow
def test_a_shortlist_of_alloys_is_exported(folder):
    root = folder / "results/alloys/search/hard"
    frame = tables.read(root / "shortlist.parquet")
    assert len(frame) == 5
    assert frame["formula"].str.match(r"^([A-Z][a-z]?\d+)+$").all()
    assert not list((root / "cif").glob("*.cif"))


@pytest.mark.slow
def test_ways_between_two_alloys_are_judged(folder, design):
    frame = tables.read(folder / "results/alloys/search/hard/interpolation.parquet")
    assert frame.groupby("path").size().to_dict() == {"line": 5, "mixing": 5, "slerp": 5}
    x = frame.loc[frame["path"] != "mixing", ELEMENTS].to_numpy()
    # Rules hold; what plain latents are decoded to is not moved to the grid.
    np.testing.assert_allclose(design.space.canonical(x), x, atol=0.01)
    mixing = frame[frame["path"] == "mixing"]
    assert mixing["formula"].iloc[[0, -1]].tolist() == ["Al34Co33Cr33", "Cu25Fe25Ni25Ti25"]
    for judge in ("", "trees."):
        assert np.isfinite(frame[f"{judge}hardness.hardness.mean"]).all()
    assert (
        tables.schema(folder / "results/alloys/search/hard/interpolation.parquet")[
            "hardness.hardness.mean"
        ].unit
        == "HV"
    )
    measures = tables.read(folder / "results/alloys/search/hard/interpolation.measures.parquet")
    assert measures.loc[measures["measure"] == "allowed", "value"].tolist()[:2] == [1.0, 1.0]
