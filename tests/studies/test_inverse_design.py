"""Design problems: from the configuration to candidates, their judges, lists and files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pymatgen.core import Structure

from nestmat import tables
from nestmat.commands.predict import predict, write_prediction
from nestmat.config.loading import study_from
from nestmat.design.members import Members
from nestmat.design.problem import build_design
from nestmat.design.recommended import SpacePredictor
from nestmat.design.spaces import design_space
from nestmat.evaluation.recommended import RecommendedPredictor
from nestmat.paths import ROOT
from support.lead_free_study import PROCESS, lead_free_study
from support.running import finish_study


@pytest.fixture(scope="module")
def searched(tmp_path_factory) -> Path:
    """Results of the problem, made by Snakemake in a working directory of their own."""
    folder = tmp_path_factory.mktemp("search")
    path = ROOT / "resources/reference/compounds.parquet"
    tables.write(folder / "calculated.parquet", tables.read(path), tables.schema(path), {})
    targets = [
        f"search/lead_free/{name}.parquet" for name in ("metrics", "shortlist", "structures", "verified")
    ]
    targets.append("predictions/device/strict/recommended.parquet")
    results = finish_study(folder, lead_free_study(), *targets, files={"resources": ROOT / "resources"})
    return results / "search" / "lead_free"


@pytest.mark.slow
def test_new_rows_are_predicted_through_the_stack_of_the_finer_scale(searched, tmp_path):
    results, study = searched.parents[1], study_from(lead_free_study())
    stack = tables.read(results / "predictions/device/strict/recommended.parquet", fold=-1)
    cells = tables.read(results / "data/cells.parquet").set_index("row_id").loc[stack["row_id"]]
    cells.drop(columns=["gap", "pce"]).to_csv(tmp_path / "cells.csv", index=False)
    write_prediction(
        predict(study, results, tmp_path / "cells.csv"), tmp_path / "predicted.parquet", long=True
    )
    predicted = tables.read(tmp_path / "predicted.parquet", target="pce").sort_values("row")
    np.testing.assert_allclose(predicted["mean"], stack["mean"], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_the_shortlist_has_the_predictions_of_the_command(searched, tmp_path):
    results, study = searched.parents[1], study_from(lead_free_study())
    shortlist = tables.read(searched / "shortlist.parquet")
    shortlist[["formula", "strain", *PROCESS]].to_csv(tmp_path / "listed.csv", index=False)
    write_prediction(
        predict(study, results, tmp_path / "listed.csv"), tmp_path / "predicted.parquet", long=True
    )
    predicted = tables.read(tmp_path / "predicted.parquet").sort_values("row")
    for scale, target in (("electronic", "gap"), ("device", "pce")):
        rows = predicted[predicted["target"] == target]
        for statistic in ("mean", "std"):
            listed = shortlist[f"{scale}.{target}.{statistic}"]
            np.testing.assert_allclose(listed, rows[statistic], rtol=1e-6, atol=1e-9)
    # One standard deviation counts against a material.
    pessimistic = shortlist["device.pce.std"] - shortlist["device.pce.mean"]
    np.testing.assert_allclose(shortlist["distance"], pessimistic)
    feasible = shortlist[shortlist["violation"] == 0]
    for _, part in feasible.groupby([feasible["hit"], feasible["domain"] == "outside"]):
        assert part["distance"].is_monotonic_increasing


@pytest.mark.slow
def test_candidates_are_predicted_by_stacks_that_saw_one_half(searched):
    results, study = searched.parents[1], study_from(lead_free_study())
    judged = tables.read(searched / "judged.parquet").head(10)
    space = design_space(study.search["lead_free"].space)
    predictor = SpacePredictor(RecommendedPredictor(study, results, "device", "halves"), space)
    x = judged[list(space.columns)].to_numpy(np.float64)
    for quantity, (mean, std) in predictor.predict(x).items():
        np.testing.assert_allclose(judged[f"{quantity}.mean"], mean, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(judged[f"{quantity}.std"], std, rtol=1e-6, atol=1e-9)
    # The network that was searched has seen no label.
    fidelity = tables.read(searched / "searched.predictor.parquet").set_index("quantity")
    assert (fidelity["error"] < fidelity["std"]).all()


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
    both = part["physics.hit"] & part["trees.hit"] & (part["novelty"] >= 0.05)
    both &= part["domain"] == "inside"
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
def test_a_candidate_and_the_same_material_in_a_table_have_one_domain(searched, tmp_path):
    results, study = searched.parents[1], study_from(lead_free_study())
    shortlist = tables.read(searched / "shortlist.parquet")
    shortlist = pd.concat([shortlist, tables.read(searched / "structures.parquet")], ignore_index=True)
    shortlist.to_csv(tmp_path / "shortlist.csv", index=False)
    write_prediction(
        predict(study, results, tmp_path / "shortlist.csv"), tmp_path / "predicted.parquet", long=True
    )
    predicted = tables.read(tmp_path / "predicted.parquet", target="pce").sort_values("row")
    for column in ("domain", "reason"):
        assert predicted[column].tolist() == shortlist[column].tolist()
    outside = shortlist[shortlist["domain"] == "outside"]
    assert "no compound with mixtures on two sites was seen (B and X)" in set(outside["reason"])
    assert all(f"outside the domain: {row.reason}" in row.flags for row in outside.itertuples())


@pytest.mark.slow
def test_hits_come_first_and_of_them_those_outside_the_domain_last(searched):
    for name in ("shortlist", "structures"):
        feasible = tables.read(searched / f"{name}.parquet").query("violation == 0")
        assert (~feasible["hit"]).is_monotonic_increasing, name
        for _, part in feasible.groupby("hit"):
            assert (part["domain"] == "outside").is_monotonic_increasing, name
        assert "outside" not in feasible


@pytest.mark.slow
def test_a_constraint_bounds_the_domain(searched):
    results, content = searched.parents[1], lead_free_study()
    content["search"]["lead_free"]["quantities"]["place"] = {"domain": True}
    content["search"]["lead_free"]["constraints"] = [{"quantity": "place", "high": 1, "tolerance": 0.5}]
    study = study_from(content)
    members = Members.in_results(results, study.chain("device", "nested", "strict"), "strict", -1)
    design = build_design(study, "lead_free", members)
    x = design.space.canonical(design.space.sample(300, seed=0))
    table, codes = design.problem.evaluate(x), design.domain.codes(x)
    assert set(codes) == {0, 1, 2}
    np.testing.assert_array_equal(table["place.mean"], codes)
    np.testing.assert_array_equal(table["violation"], 2.0 * (codes == 2))
    # Between the points of the grid, where every species has a share, the nearest material counts.
    free = torch.from_numpy(design.space.to_free(x)).requires_grad_()
    quantities = design.problem.predict(design.space.from_free(free))
    nearest = design.space.canonical(design.space.from_free(free).detach().numpy())
    np.testing.assert_array_equal(quantities["place"][0].numpy(), design.domain.codes(nearest))
    assert quantities["device.pce"][0].requires_grad
    assert not quantities["place"][0].requires_grad


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
