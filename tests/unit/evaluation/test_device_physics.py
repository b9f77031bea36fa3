"""The truth curve: the physics is that of the simulator, the predictions are those of members left out."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from nestmat import tables
from nestmat.config.loading import study_from
from nestmat.config.study import Study
from nestmat.data.reading import read, write
from nestmat.errors import InputError
from nestmat.evaluation.device_physics import (
    UNITS,
    SimulatedDevices,
    compare_with_device_physics,
    example_compounds,
)
from nestmat.evaluation.protocols import assign_folds
from nestmat.features.table import ScaleColumns, write_features, write_features_for_parent
from nestmat.figures import drawing, style
from nestmat.figures.registry import FIGURES
from nestmat.labels.scales import Labels
from nestmat.models.keys import ModelKey
from nestmat.physics.absorber import simulate
from nestmat.physics.detailed_balance import limit
from nestmat.physics.devices import efficiency
from nestmat.report.sections.device_physics import physics_errors
from nestmat.scales.propagate import propagate_latents
from nestmat.scales.train import TrainingJob, train_scale
from nestmat.training.checkpoints import Trained
from support.generated import read_generated
from support.report_text import section_text

STRAINS = np.array([-0.06, -0.02, 0.0, 0.03])
GAPS = {f"{a}{b}{x}3": 0.8 + 0.3 * i + 0.25 * j + 0.15 * k for i, a in enumerate(("K", "Cs"))
        for j, b in enumerate(("Sn", "Pb")) for k, x in enumerate(("I", "Br", "Cl"))}  # fmt: skip
TRAINING = {"epochs": 5, "seeds": 2, "learning_rate": 0.01}
LOGS = ("thickness", "diffusion_length", "front_velocity", "back_velocity", "radiative_efficiency")


def configuration() -> dict:
    """Gaps, then devices whose efficiency has another name than the generator gives it."""
    sites = {"B": {"site": "B"}, "X": {"site": "X"}}

    def model(target: str, *inputs: str) -> dict:
        encoder = {"latents": 3, "hidden": [8]}
        return {"inputs": inputs, "encoder": encoder, "heads": {target: {}}, "training": TRAINING}

    return {
        "study": "small",
        "title": "t",
        "question": "q",
        "datasets": {
            "gaps": {
                "title": "Gaps",
                "file": "gaps.parquet",
                "formula": "formula",
                "columns": {"strain": {}, "gap": {"unit": "eV", "label": True}},
            },
            "cells": {
                "title": "Cells",
                "generator": {
                    "kind": "perovskite_devices",
                    "rows": 60,
                    "gap_range": [0.3, 2.6],
                    "strain": 0.015,
                },
                "formula": "formula",
                "columns": {
                    "strain": {},
                    "given": {"header": "gap", "unit": "eV", "label": True},
                    **{f"log_{name}": {} for name in LOGS},
                    "PCE": {"header": "pce", "unit": "%", "description": "efficiency", "label": True},
                },
            },
        },
        "strict": {"folds": 3},
        "scales": {
            "electronic": {
                "dataset": "gaps",
                "targets": ["gap"],
                "features": {**sites, "strain": {"columns": ["strain"]}},
                "models": {"nested": {"specification": model("gap", "B", "X", "strain")}},
            },
            "device": {
                "dataset": "cells",
                "parents": ["electronic"],
                "targets": ["PCE"],
                "features": {"process": {"columns": [f"log_{name}" for name in LOGS]}},
                "models": {"nested": {"specification": model("PCE", "electronic", "process")}},
                "device_physics": {"model": "nested", "points": 4, "compounds": 3},
            },
        },
    }


@dataclass
class Traced:
    """A trained chain and what was traced of it."""

    study: Study
    results: Path
    table: pd.DataFrame
    compare: Callable[..., pd.DataFrame]


@pytest.fixture(scope="module")
def traced(tmp_path_factory) -> Traced:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("truth")
    points = pd.concat(
        pd.DataFrame(
            {
                "structure": f"{formula} perovskite",
                "formula": formula,
                "prototype": "perovskite",
                "kind": "strain",
                "status": "converged",
                "strain": STRAINS,
                "volume": 200 * (1 + STRAINS) ** 3,
                "gap": gap + 5 * STRAINS,
            }
        )
        for formula, gap in GAPS.items()
    )
    (folder / "reference").mkdir()
    points.to_parquet(folder / "reference" / "calculations.parquet")
    points[["formula", "strain", "gap"]].to_parquet(folder / "gaps.parquet")
    patch = pytest.MonkeyPatch()
    patch.setattr("nestmat.physics.perovskite_devices.RESOURCES", folder)
    study, results = study_from(configuration()), folder / "results"
    features = {name: results / f"features/{name}.parquet" for name in study.scales}
    tables_of = {name: results / f"data/{scale.dataset}.parquet" for name, scale in study.scales.items()}
    for name, scale in study.scales.items():
        spec = study.datasets[scale.dataset]
        known = {"name": scale.dataset, "targets": scale.targets}
        reading = read(spec, folder / spec.file, **known) if spec.file else read_generated(spec, **known)
        write(reading, tables_of[name], folder / "rejects.parquet")
        blocks = {key: block.model_dump(exclude_none=True) for key, block in scale.features.items()}
        write_features(
            tables_of[name],
            features[name],
            folder / "rejects.parquet",
            features=blocks,
            columns=ScaleColumns(scale.targets),
        )
    folds = {name: results / f"folds/{name}.parquet" for name in study.scales}
    nothing = {name: {} for name in study.scales}
    assign_folds(features, folds, study.strict, nothing, {n: s.targets for n, s in study.scales.items()})
    stems = {
        name: results / "models" / str(key) for name, key in study.chain("device", "nested", "strict").items()
    }
    weights = {name: stem.with_suffix(".safetensors") for name, stem in stems.items()}
    latents = {}
    for name, scale in study.scales.items():
        stem = stems[name]
        if name == "device":
            theirs, latents = folder / "parent.parquet", {"electronic": folder / "propagated.parquet"}
            write_features_for_parent(
                tables_of[name], features["electronic"], theirs, folder / "rejects.parquet",
                features=study.scales["electronic"].features,
            )  # fmt: skip
            propagate_latents(weights["electronic"], theirs, latents["electronic"])
        train_scale(
            TrainingJob(
                key=ModelKey(name, "strict", "nested"),
                specification=scale.models["nested"].specification,
                features=features[name],
                folds=folds[name],
                parents=latents,
                weights=weights[name],
                card=stem.with_suffix(".json"),
                history=folder / "history.parquet",
                predictions=folder / f"{name}.predictions.parquet",
                latents=folder / "latents.parquet",
            )
        )

    devices = SimulatedDevices(
        scale="device",
        weights=weights,
        features=features,
        blocks={name: scale.features for name, scale in study.scales.items()},
        data=tables_of["device"],
        predictions=folder / "device.predictions.parquet",
        dataset=study.datasets["cells"],
    )

    def compare(output=results / "truth/device.parquet", **changes) -> pd.DataFrame:
        return compare_with_device_physics(replace(devices, **changes), output, points=4, compounds=3)

    yield Traced(study, results, compare(), compare)
    patch.undo()


def test_the_table_holds_a_curve_each_compound_and_each_variable(traced):
    found = tables.read(traced.results / "truth/device.parquet")
    pd.testing.assert_frame_equal(found, traced.table, check_dtype=False)
    counts = found["kind"].value_counts()
    assert counts["device"] == 60
    assert counts["gap"] == len(GAPS)
    assert {name: counts[name] for name in UNITS} == dict.fromkeys(UNITS, 3 * 4)
    assert found.loc[found["kind"] == "thickness", "x"].unique() == pytest.approx(
        [100, 215.443469, 464.158883, 1000]
    )
    assert found.loc[found["kind"] == "strain", "x"].abs().max() == pytest.approx(0.015)
    curve = found[found["kind"] == "curve"]
    assert (curve["x"].min(), curve["x"].max()) == (0.3, 2.6)
    rest = found[found["kind"] != "curve"]
    assert rest[["true", "mean", "std", "limit"]].notna().all(axis=None)
    assert (rest["true"] < rest["limit"]).all()


def test_the_truth_is_the_simulator(traced):
    gaps = traced.table[traced.table["kind"] == "gap"]
    assert gaps["x"].to_numpy() == pytest.approx(gaps["formula"].map(GAPS).to_numpy())
    process = (10**2.5, 500.0, 100.0, 100.0, 10**-3.5)
    np.testing.assert_allclose(gaps["true"], simulate(gaps["x"], *process).pce)
    np.testing.assert_allclose(gaps["limit"], limit(gaps["x"]).pce)
    strained = traced.table[traced.table["kind"] == "strain"]
    gap = strained["formula"].map(GAPS) + 5 * strained["x"]
    np.testing.assert_allclose(strained["true"], simulate(gap, *process).pce, rtol=1e-6)
    for place, name in enumerate(LOGS):
        rows = traced.table[traced.table["kind"] == name]
        varied = [*process[:place], rows["x"], *process[place + 1 :]]
        np.testing.assert_allclose(rows["true"], simulate(rows["formula"].map(GAPS), *varied).pce)
    cells = tables.read(traced.results / "data/cells.parquet").rename(columns={"given": "gap"})
    np.testing.assert_allclose(cells["PCE"], efficiency(cells))


def test_predictions_are_those_of_members_that_left_the_compound_out(traced, tmp_path):
    fold_of = tables.read(traced.results / "folds/device.parquet", protocol="strict")
    fold_of = fold_of.drop_duplicates("material").set_index("material")["fold"]
    rows = traced.table[traced.table["kind"] != "curve"]
    assert (rows["fold"].to_numpy() == fold_of[rows["material"]].to_numpy()).all()
    # Spoil the members of fold 0 at both scales, one at a time: only compounds of fold 0 may feel it.
    chain = traced.study.chain("device", "nested", "strict")
    for spoilt in chain:
        weights = {}
        for name, stem in chain.items():
            trained = Trained.load(traced.results / "models" / f"{stem}.safetensors")
            if name == spoilt:
                trained.flat[(trained.members["fold"] == 0).to_numpy()] += 0.5
            weights[name] = tmp_path / f"{spoilt}.{name}.safetensors"
            trained.save(weights[name], weights[name].with_suffix(".json"))
        other = traced.compare(weights=weights, output=tmp_path / "truth.parquet")
        made = (other["kind"] != "device") & (other["kind"] != "curve")
        changed = ~np.isclose(other["mean"], traced.table["mean"])
        assert changed[made].any()
        assert set(other.loc[made & changed, "fold"]) == {0}


def test_devices_are_predicted_by_the_ensemble_that_left_them_out(traced):
    devices = tables.read(traced.results / "data/cells.parquet")
    found = traced.table[traced.table["kind"] == "device"]
    assert sorted(found["true"]) == sorted(devices["PCE"])
    predicted = tables.read(traced.results.parent / "device.predictions.parquet", split="validation", seed=-1)
    assert sorted(found["mean"]) == sorted(predicted["mean"])


def test_compounds_are_spread_over_the_gaps_that_make_a_cell():
    gaps = pd.Series({"a": 0.5, "b": 1.0, "c": 1.5, "d": 1.2, "e": 2.4, "f": 2.6})
    assert example_compounds(gaps, 2) == ["d", "e"]
    assert example_compounds(gaps, 9) == ["b", "d", "c", "e"]
    assert example_compounds(gaps[["a", "f"]], 3) == []


def test_the_figure_draws_physics_and_predictions(traced, tmp_path):
    assert ("device", "truth") in drawing.available(traced.study)
    assert ("electronic", "truth") not in drawing.available(traced.study)
    needed = drawing.required_tables(traced.study, "device", "truth")
    inputs = {name: [traced.results / path for path in paths] for name, paths in needed.items()}
    drawing.draw("truth", inputs, traced.study, "device", tmp_path / "figure.svg")
    labels = Labels(traced.study, "device", tables.schema(traced.results / "features/device.parquet"))
    with style.sheet():
        figure = FIGURES["truth"].draw({"truth": traced.table}, labels)
        figure.draw_without_rendering()
    assert len(figure.axes) == 1 + len(UNITS)
    told = {ax.get_xlabel() for ax in figure.axes}
    assert {"Band gap (eV)", "Thickness (nm)", "Front velocity (cm/s)", "Strain (%)"} <= told
    ticks = [label.get_text() for label in figure.axes[1].get_xticklabels() if label.get_text()]
    assert {"100", "1000"} <= set(ticks)
    none = traced.table[traced.table["kind"].isin(["curve", "gap", "device"])]
    with style.sheet():
        assert len(FIGURES["truth"].draw({"truth": none}, labels).axes) == 1


def test_the_report_states_error_and_share_above_the_limit(traced):
    labels = Labels(traced.study, "device", tables.schema(traced.results / "features/device.parquet"))
    table = traced.table.copy()
    gaps = table["kind"] == "gap"
    table.loc[gaps, "mean"] = table.loc[gaps, "true"] + 1.5
    devices = np.flatnonzero(table["kind"] == "device")
    table.loc[devices, "mean"] = table.loc[devices, "limit"] - 1
    table.loc[devices[:3], "mean"] += 1.25
    variables = {"physics": physics_errors(table, labels)}
    text = section_text("device_physics", variables, "summary", "PCE")
    assert "12 compounds" in text
    assert "1.500 %" in text
    assert "3 of 60" in text
    assert "0.250 %" in text
    assert section_text("device_physics", variables, "summary", "other") == ""


def test_the_study_knows_the_simulated_column_and_the_chain():
    study = study_from(configuration())
    assert study.efficiency_column("device") == "PCE"
    assert study.efficiency_column("electronic") is None
    assert study.lineage("device") == ["electronic", "device"]
    assert study.lineage("electronic") == ["electronic"]


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        (lambda s: s["scales"]["device"]["device_physics"].update(model="other"), "'other' is not a model"),
        (lambda s: s["scales"]["device"].update(dataset="gaps", targets=[]), "generator perovskite_devices"),
        (lambda s: s["datasets"].update(cells="somewhere"), "generator perovskite_devices"),
        (lambda s: s["datasets"]["cells"]["columns"].pop("given"), "column gap"),
        (lambda s: s["datasets"]["cells"]["columns"]["PCE"].update(header="strain"), "does not predict"),
        (lambda s: s["scales"]["device"]["device_physics"].update(points=1), "greater than 1"),
        (lambda s: s["datasets"]["cells"]["generator"].update(strain=None), "needs devices under strain"),
    ],
)
def test_bad_configurations(change, hint):
    content = deepcopy(configuration())
    change(content)
    if content["scales"]["device"]["dataset"] == "gaps":
        content["scales"]["device"]["models"]["nested"]["specification"]["heads"] = {"process": {}}
    with pytest.raises(InputError, match=hint):
        study_from(content)


@pytest.mark.parametrize("lost", ["predictions", "data"])
def test_rows_that_vanish_are_an_error(traced, tmp_path, lost):
    source = {
        "predictions": traced.results.parent / "device.predictions.parquet",
        "data": traced.results / "data/cells.parquet",
    }[lost]
    frame = tables.read(source)
    fewer = frame[frame["row_id"] != 7]
    tables.write(tmp_path / "fewer.parquet", fewer, tables.schema(source), tables.provenance(source))
    with pytest.raises(InputError, match="1 rows are not in all three, the first with row_id 7") as caught:
        traced.compare(**{lost: tmp_path / "fewer.parquet"}, output=tmp_path / "truth.parquet")
    assert caught.value.file.name.endswith("parquet")


def test_a_compound_without_calculations_is_an_error(traced, monkeypatch, tmp_path):
    monkeypatch.setattr(
        "nestmat.evaluation.device_physics.calculated_gaps",
        lambda: pd.DataFrame({"formula": "CsPbI3", "strain": STRAINS, "gap": 1.0}),
    )
    with pytest.raises(InputError, match="have no calculated gaps"):
        traced.compare(output=tmp_path / "truth.parquet")
