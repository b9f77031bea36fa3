"""Design problems: from the configuration to candidates, their judges, lists and files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from pymatgen.core import Structure

from nestmat import tables
from nestmat.commands.validate import describe
from nestmat.config.loading import study_from
from nestmat.config.problems import Method
from nestmat.config.spaces import DesignSpace
from nestmat.design.candidates import proposed_rows
from nestmat.design.compounds import approximants
from nestmat.design.domain import ApplicabilityDomain
from nestmat.design.metrics import assess, diversity, pair_distance, wilson_interval
from nestmat.design.search import build_method
from nestmat.design.spaces import composition_columns, design_space
from nestmat.errors import InputError
from nestmat.materials.perovskites import PROBABILITY_MIDDLE, PROBABILITY_WIDTH
from nestmat.paths import ROOT
from nestmat.search.methods.ranking import Ranking
from nestmat.search.problem import Problem, Target
from nestmat.search.quantities import Distance, interpolated, logistic, weighted
from nestmat.search.spaces.alloys import ABX3Alloy, Alloy
from nestmat.search.spaces.box import Box
from nestmat.search.spaces.factors import Interval
from nestmat.search.spaces.product import Product
from nestmat.search.spaces.simplex import Simplex

SITES = {
    "A": {"species": ["Rb", "Cs"], "grid": 4},
    "B": {"species": ["Ge", "Sn"], "grid": 4},
    "X": {"species": ["Br", "I"], "grid": 4},
}


def test_a_configured_space_is_what_it_says():
    space = design_space(
        DesignSpace.model_validate(
            {"sites": SITES, "variables": {"strain": {"value": 0.01}, "t": {"levels": ["a", "b"]}}}
        )
    )
    assert isinstance(space, ABX3Alloy)
    assert space.columns == (
        *(f"{s}:{i}" for s in SITES for i in SITES[s]["species"]),
        "strain",
        "t=a",
        "t=b",
    )
    assert space.n_materials == 5 * 5 * 5 * 2
    alloy = design_space(DesignSpace.model_validate({"elements": {"species": ["Al", "Co", "Ni"], "most": 2}}))
    assert isinstance(alloy, Alloy)
    box = {name: {"between": [3.0, 4.0], "grid": 3} for name in "ab"}
    found = design_space(DesignSpace.model_validate({"variables": box, "symmetries": [{"a": "b", "b": "a"}]}))
    assert isinstance(found, Box)
    assert found.n_materials == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sites": {**SITES, "B": {"species": ["Sn", "Cs"]}}}, "differ in charge"),
        ({"sites": {**SITES, "B": {"species": ["Sn", "Qq"]}}}, "no known site"),
        ({"sites": {**SITES, "B": {"species": ["Cs"]}}}, "not neutral|a charge of"),
    ],
)
def test_spaces_that_cannot_be_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        design_space(DesignSpace.model_validate(changes))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "is empty"),
        ({"sites": {"A": SITES["A"]}}, "name A, B and X"),
        ({"sites": SITES, "elements": SITES["A"]}, "not both"),
        ({"variables": {"t": {"value": 1.0, "levels": ["a"]}}}, "exactly one of value, between, levels"),
        ({"variables": {"t": {"value": 1.0, "grid": 3}}}, "go with between"),
    ],
)
def test_faulty_spaces_are_told_by_their_key(given, message):
    with pytest.raises(ValueError, match=message):
        DesignSpace.model_validate(given)


def test_a_method_takes_its_own_settings_and_no_others():
    method = build_method(Method.model_validate({"kind": "genetic", "population": 50}))
    assert method.population == 50
    with pytest.raises(ValueError, match=r"populations: Extra inputs"):
        Method.model_validate({"kind": "genetic", "populations": 50})
    with pytest.raises(ValueError, match=r"population: Input should be a valid integer"):
        Method.model_validate({"kind": "genetic", "population": "many"})


def test_shares_of_formulas_are_those_of_the_space():
    space = design_space(DesignSpace.model_validate({"sites": SITES}))
    x = space.sample(50, seed=0)
    found = composition_columns(space.formulas(x), space)
    np.testing.assert_allclose(np.column_stack([found[name] for name in space.columns]), x, atol=1e-12)
    outside = composition_columns(["CsSn0.5Pb0.5I3"], space)
    assert outside["B:Sn"] == [0.5]
    assert outside["B:Ge"] == [0.0]


def test_distance_to_known_compositions_counts_what_the_space_lacks():
    space = Product([Simplex(["Ge", "Sn"], 4, site="B"), Simplex(["Br", "I"], 4, site="X")])
    known = {"B:Ge": [0.0, 0.0], "B:Sn": [1.0, 0.0], "X:Br": [0.0, 0.0], "X:I": [1.0, 1.0]}
    distance = Distance(space, {name: np.array(values) for name, values in known.items()})
    x = torch.tensor([[0.0, 1.0, 0.0, 1.0], [0.5, 0.5, 0.0, 1.0], [1.0, 0.0, 1.0, 0.0]], dtype=torch.float64)
    found, _ = distance(x)
    # Half of one of two sites; all of both. Of the second known one, nothing of site B is in the space.
    torch.testing.assert_close(found, torch.tensor([0.0, 0.25, 1.0], dtype=torch.float64))


def test_further_quantities_follow_from_those_before():
    x = torch.tensor([[0.25, 0.75]], dtype=torch.float64)
    assert weighted([4.0, 8.0])(x, {})[0].item() == 7.0
    gap = (torch.tensor([1.25, 9.0]), torch.tensor([0.1, 0.1]))
    line = interpolated("gap", np.array([1.0, 1.5, 2.0]), np.array([10.0, 20.0, 0.0]))
    mean, std = line(x, {"gap": gap})
    torch.testing.assert_close(mean, torch.tensor([15.0, 0.0]))
    torch.testing.assert_close(std[0], torch.tensor(2.0))
    chance, _ = logistic("tau", 4.0, 0.5)(x, {"tau": (torch.tensor([4.0, 4.5, torch.nan]), gap[1])})
    torch.testing.assert_close(chance, torch.tensor([0.5, 1 / (1 + np.e), 0.0]))


def test_the_probability_of_a_perovskite_is_the_published_one(mirror: Path):
    table = pd.read_csv(mirror / "bartel/TableS1.csv").dropna(subset="tau")
    tau = torch.tensor(table["tau"].to_numpy())
    found, _ = logistic("tau", PROBABILITY_MIDDLE, PROBABILITY_WIDTH)(tau, {"tau": (tau, tau)})
    assert len(table) > 500
    np.testing.assert_allclose(found.numpy(), table["tau_prob"], atol=0.03)


def test_intervals_of_rates_are_wilsons():
    # Newcombe, Stat. Med. 17, 857 (1998), table I: method 3 for 81/263, 15/148, 0/20 and 1/29.
    for hits, n, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        assert wilson_interval(hits, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("n", range(1, 300, 7))
def test_a_rate_lies_inside_its_interval(n):
    for hits in (0, 1, n):
        low, high = wilson_interval(hits, n)
        assert 0 <= low <= hits / n <= high <= 1


def test_a_front_is_proposed_before_what_lies_behind_it():
    space = Product([Simplex(["a", "b"], 10), Simplex(["c", "d"], 10, site="S")])

    def predict(x):
        return {"p": (x[:, 0], x[:, 0]), "q": (x[:, 1] + x[:, 2], x[:, 0])}

    problem = Problem(space, predict, [Target("p", "minimise"), Target("q", "minimise")])
    found = Ranking(keep=200).propose(problem, 200, seed=0)
    front = proposed_rows(problem, found, 11)
    # Less of a is worth more of b one to one: all with none of c are on the front.
    assert (found.x[front][:, 2] == 0).all()
    assert sorted(found.x[front][:, 0]) == pytest.approx(np.linspace(0, 1, 11))
    thinned = found.x[proposed_rows(problem, found, 3)]
    assert sorted(thinned[:, 0]) == pytest.approx([0, 0.5, 1])
    assert len(proposed_rows(problem, found, 50)) == 50


def test_a_domain_holds_most_of_what_it_was_made_of():
    random = np.random.default_rng(0)
    known = random.normal(size=(400, 3)) * [1.0, 10.0, 0.1]
    domain = ApplicabilityDomain(known)
    again = random.normal(size=(400, 3)) * [1.0, 10.0, 0.1]
    inside = (domain.log_density(again) >= domain.threshold).mean()
    assert 0.9 < inside < 1.0
    assert (domain.log_density(again + np.array([6.0, 0, 0])) < domain.threshold).all()


def test_diversity_is_the_mean_distance():
    space = Product([Simplex(["a", "b"], 4)])
    x = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert diversity(x, space) == 1.0
    assert np.isnan(diversity(x[:1], space))


def test_approximants_have_one_species_on_a_site_or_two_halves():
    space = design_space(DesignSpace.model_validate({"sites": SITES}))
    assert isinstance(space, ABX3Alloy)
    found = list(approximants(space))
    assert len(found) == 3**3
    assert {share for entry in found for share in entry.values()} == {0.5, 1.0}
    for entry in found:
        for site in SITES:
            assert sum(share for column, share in entry.items() if column.startswith(f"{site}:")) == 1


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
    cells = default["datasets"]["cells"] | {"options": {"rows": 600}}
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
        ({"targets": [{"quantity": "device.pce"}]}, "exactly one of value, between, goal"),
        ({"constraints": [{"quantity": "tau"}]}, "give low, high or both"),
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
    with pytest.raises(InputError, match="is the name of a scale"):
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
        ("methods", {"genetic": {"kind": "ranking"}}, "cannot rank 50400 materials"),
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


def test_the_distance_of_pairs_is_euclidean_where_every_interval_is_one_unit_about_zero():
    space = Box([Interval("a", 0, 10), Interval("b", -2, 2)], [])
    # Two materials are every pair: 1 of 10 and 2 of 4 apart.
    x = np.array([[3.0, 0.0], [4.0, 2.0]])
    assert pair_distance(x, space) == pytest.approx(np.hypot(0.2, 1.0))
    assert np.isnan(pair_distance(x[:1], space))


def test_samples_are_counted_from_the_first_to_the_hits():
    space = Box([Interval("a", 0, 1)], [])
    judged = pd.DataFrame({"method": "flow", "seed": [0, 0, 1], "a": [0.1, 0.2, 0.3], "novelty": 1.0})
    judged = judged.assign(in_domain=True, hit=True)
    judged[["q.mean", "gp.q.mean"]] = [[1.0, 1.3], [1.0, 0.9], [1.0, 1.0]]
    judged["gp.hit"] = (judged["gp.q.mean"] - 1.0).abs() < 0.2
    judged["gp.distance"] = 0.0
    details = [json.dumps({"sampled": n, "inside": n - 2, "kept": kept}) for n, kept in ((10, 2), (20, 1))]
    runs = pd.DataFrame({"method": "flow", "seed": [0, 1], "seconds": 1.0, "details": details})
    target = Target("q", "value", 1.0, tolerance=0.2)
    found = assess(judged, runs, space, judges=["gp"], targets={target: "eV"}, windows={})
    told = dict(
        zip(zip(found["seed"], found["judge"], found["metric"], strict=True), found["value"], strict=True)
    )
    assert told[-1, "model", "inside"] == pytest.approx(26 / 30)
    assert told[0, "model", "kept"] == pytest.approx(2 / 10)
    assert told[-1, "all", "yield"] == pytest.approx(2 / 30)
    assert told[1, "all", "yield"] == pytest.approx(1 / 20)
    assert told[0, "gp", "error:q"] == pytest.approx(0.2)


def test_the_yield_counts_what_was_kept_and_not_proposed():
    space = Box([Interval("a", 0, 1)], [])
    judged = pd.DataFrame({"method": "flow", "seed": 0, "a": [0.1, 0.2], "novelty": 1.0, "in_domain": True})
    judged = judged.assign(hit=True, **{"gp.hit": [True, False], "gp.distance": 0.0})
    judged[["q.mean", "gp.q.mean"]] = 1.0
    details = json.dumps({"sampled": 1000, "inside": 1000, "kept": 100})
    runs = pd.DataFrame({"method": "flow", "seed": [0], "seconds": 1.0, "details": details})
    target = Target("q", "value", 1.0)
    found = assess(judged, runs, space, judges=["gp"], targets={target: "eV"}, windows={})
    assert found.loc[(found["metric"] == "yield") & (found["seed"] == 0), "value"].item() == 0.05
