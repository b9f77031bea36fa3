"""Monolayers: geometry, listing, results, calibration, selection and verification of designed cells."""

from __future__ import annotations

import types

import numpy as np
import pandas as pd
import pytest
import torch
from pymatgen.core import Lattice, Structure

from nestmat import tables
from nestmat.config.dft import StructureSet
from nestmat.config.loading import load_study, study_from
from nestmat.design.cells import farthest, select_cells, verify_cells
from nestmat.design.problem import Design
from nestmat.design.spaces import design_space
from nestmat.dft import interpreter, layers, publish, structure_sets, summaries
from nestmat.dft import records as dft_records
from nestmat.domains.domain import Domain, DomainInputs
from nestmat.errors import InputError
from nestmat.materials.geometry import CELL
from nestmat.materials.monolayers import BONDS, bonds
from nestmat.paths import ROOT
from nestmat.report.registry import SECTIONS, required_tables
from nestmat.report.source import Source
from nestmat.search.problem import Problem, Target
from support.report_text import section_html, section_text, table_cells
from support.running import snakemake, write_study

CELLS = """\
a,b,c,alpha,beta,gamma,field,gap
3.16,3.16,12.3,90,90,120,0.0,1.0
3.0,3.4,11.1,80,97,111,0.5,0.2
3.16,3.16,12.3,20,20,120,0.0,0.0
3.16,wide,12.3,90,90,120,0.0,0.0
0.9,3.16,12.3,90,90,120,0.0,0.0
"""
TILTED = (3.0, 3.4, 11.1, 80.0, 97.0, 111.0)


def listed(csv_file, rows=(), **changes):
    layer = {"heights": [0.12], **changes}
    spec = StructureSet.model_validate({"file": "cells.csv", "rows": list(rows), "layer": layer})
    return layers.list_layers(spec, "mine", csv_file(CELLS, "cells.csv"))


# geometry


@pytest.mark.parametrize("cell", [(3.16, 3.16, 12.3, 90.0, 90.0, 120.0), TILTED])
def test_vectors_have_the_lengths_and_angles_of_the_cell(cell):
    lattice = Lattice(layers.vectors(cell))
    np.testing.assert_allclose([*lattice.lengths, *lattice.angles], cell, rtol=1e-12)


@pytest.mark.parametrize("cell", [(3, 3, 12, 20, 20, 120), (3, -3, 12, 90, 90, 120), (3, 3, 12, 90, 90, 180)])
def test_numbers_that_are_no_cell_are_refused(cell):
    with pytest.raises(ValueError, match="no cell"):
        layers.vectors(cell)


def test_a_layer_without_strain_has_six_equal_bonds_in_a_prism():
    symbols, positions, cell = layers.layer("W", "Se", (3.3, 3.3, 13.0, 90, 90, 120), 0.13)
    crystal = Structure(Lattice(cell), symbols, positions)
    bonds = sorted(n.nn_distance for n in crystal.get_neighbors(crystal[0], 3.0))
    assert [site.specie.symbol for site in crystal] == ["W", "Se", "Se"]
    np.testing.assert_allclose(bonds, [np.hypot(3.3 / np.sqrt(3), 0.13 * 13.0)] * 6)
    assert crystal.get_space_group_info()[0] == "P-6m2"
    # Trigonal prismatic: each Se has another straight above or below it.
    assert crystal.get_distance(1, 2, jimage=(0, 0, 0)) == pytest.approx(0.26 * 13.0)


def test_fixed_fractional_coordinates_follow_a_tilted_cell():
    symbols, positions, cell = layers.layer("Mo", "S", TILTED, 0.12)
    crystal = Structure(Lattice.from_parameters(*TILTED), symbols, positions)
    images = [crystal.get_distance(0, 1, jimage=(i, j, 0)) for i in (-1, 0) for j in (0, 1)]
    shifts = np.array([(i, j, 0) for i in (-1, 0) for j in (0, 1)])
    np.testing.assert_allclose(np.linalg.norm((positions[1] + shifts - positions[0]) @ cell, axis=1), images)
    assert layers.shortest_distance(positions, cell) == pytest.approx(
        min(n.nn_distance for site in crystal for n in crystal.get_neighbors(site, 3.0))
    )


@pytest.mark.parametrize("cell", [(3.16, 3.16, 12.3, 90.0, 90.0, 120.0), TILTED])
def test_a_layer_has_the_bonds_that_models_read(cell):
    symbols, positions, matrix = layers.layer("Mo", "S", cell, 0.12)
    crystal = Structure(Lattice(matrix), symbols, positions)
    lengths = [
        crystal.get_distance(0, sulphur, jimage=image)
        for sulphur in (1, 2)
        for image in ((0, 0, 0), (0, 1, 0), (-1, 0, 0))
    ]
    told = bonds(torch.tensor([cell], dtype=torch.float64), 0.12)[0].numpy()
    np.testing.assert_allclose(np.sort(lengths), told[:6])
    assert crystal.get_distance(1, 2, jimage=(0, 0, 0)) == pytest.approx(told[list(BONDS).index("pair")])


# listing


def test_cells_of_a_table_are_listed_at_every_height_and_the_others_rejected(csv_file):
    found, frame, rejects = listed(csv_file, heights=[0.12, 0.13], columns=["field"])
    assert [s["structure"] for s in found] == ["MoS2 0 0.12", "MoS2 0 0.13", "MoS2 1 0.12", "MoS2 1 0.13"]
    assert frame["structure"].tolist() == [s["structure"] for s in found]
    assert frame["field"].tolist() == [0.0, 0.0, 0.5, 0.5]
    for entry in found:
        assert entry["probes"] == []
        assert entry["strains"] == [0.0]
        assert not entry["relax"]
        assert entry["kpoints"] == list(layers.MESH)
        assert entry["settings"]["cutoff"] == 340
    np.testing.assert_allclose(found[3]["cell"], layers.vectors(TILTED), atol=1e-8)
    np.testing.assert_allclose([p[2] for p in found[3]["positions"]], [0.5, 0.63, 0.37])
    reasons = {row: (column, reason) for row, column, _, reason in rejects.to_numpy()}
    assert list(reasons) == [4, 5, 6]
    assert "no cell" in reasons[4][1]
    assert reasons[5][0] == "b"
    assert "nearer to each other than 1 Å" in reasons[6][1]


def test_rows_and_settings_are_chosen(csv_file):
    spec = StructureSet(
        file=str(csv_file(CELLS)),
        rows=[1],
        layer={"heights": [0.12], "relax": True, "metal": "W"},
        settings={"kpoints": [6, 6, 1], "cutoff": 300, "steps": 5},
    )
    [found], rejects = structure_sets.list_structures(spec, "mine")
    assert found["structure"] == "WS2 1 relaxed"
    assert found["relax"]
    assert found["kpoints"] == [6, 6, 1]
    assert (found["settings"]["cutoff"], found["settings"]["steps"]) == (300, 5)
    assert rejects.empty


@pytest.mark.parametrize(("rows", "message"), [([3], "no usable row"), ([2], "no cell to calculate")])
def test_rows_that_cannot_be_used_are_told(csv_file, rows, message):
    with pytest.raises(InputError, match=message):
        listed(csv_file, rows=rows)


def test_rows_of_a_data_set_keep_their_numbers(tmp_path):
    frame = pd.DataFrame([TILTED, TILTED], columns=list(CELL)).assign(row_id=[4, 7], row=[5, 8])
    schema = {name: tables.Column("int64" if name in ("row_id", "row") else "float64") for name in frame}
    tables.write(tmp_path / "data.parquet", frame, schema)
    spec = StructureSet(dataset="data", rows=[7], layer={"heights": [0.12]})
    [found], about, _ = layers.list_layers(spec, "mine", tmp_path / "data.parquet")
    assert found["structure"] == "MoS2 7"
    assert about["row"].tolist() == [7]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"dataset": "data"}, "A set from a dataset needs a layer"),
        ({"set": {"kind": "ternaries"}, "layer": {"heights": [0.1]}}, "A built-in set can have no layer"),
        ({"file": "a.csv", "rows": [1]}, "Only a set of layers"),
        (
            {"file": "a.csv", "layer": {"heights": [0.1]}, "settings": {"strains": [0.1]}},
            "probes and strains are those of compounds",
        ),
        (
            {"set": {"kind": "ternaries"}, "settings": {"cutoff": 500}},
            "A built-in set has settings of its own",
        ),
        ({"candidates": "p", "rows": [1], "layer": {"heights": [0.1]}}, "Only a set of layers"),
        ({"file": "a.csv", "layer": {"heights": []}}, "at least 1"),
        ({"file": "a.csv", "layer": {"heights": [0.6]}}, "between 0 and 0.5"),
        ({"file": "a.csv", "layer": {"heights": [0.1, 0.1]}}, "not all different"),
    ],
)
def test_a_faulty_set_of_layers_is_told(entry, message):
    with pytest.raises(ValueError, match=message):
        StructureSet.model_validate(entry)


# results


def records_of(structures, gaps):
    """Made-up records: a gap each, or None where it failed."""
    found = []
    for wanted, gap in zip(structures, gaps, strict=True):
        result = (
            {"status": "failed", "message": "no"} if gap is None else {"status": "converged", "message": ""}
        )
        numbers = {} if gap is None else {"gap": gap, "direct": True, "energy": -20.0}
        facts = {key: wanted[key] for key in ("structure", "formula", "prototype", "symbols", "cell")}
        made = {"key": wanted["structure"], "kind": "strain", "scale": 1.0, "seconds": 1.0}
        about = {"kpoints": wanted["kpoints"], "settings": wanted["settings"], "versions": {"gpaw": "1"}}
        found.append({**facts, **made, **about, **result, **numbers})
    return found


def test_cells_stand_beside_their_results(csv_file, tmp_path):
    spec = StructureSet(file=str(csv_file(CELLS)), layer={"heights": [0.12], "columns": ["field"]})
    found, _ = structure_sets.list_structures(spec, "mine")
    dft_records.write_records(records_of(found, [0.0, None]), tmp_path / "mine.parquet")
    output = tmp_path / "mine.cells.parquet"
    summaries.summarise_cells(tmp_path / "mine.parquet", spec, "mine", spec.file, output, set="mine")
    frame = tables.read(output)
    assert frame["field"].tolist() == [0.0, 0.5]
    np.testing.assert_allclose(frame[list(CELL)].iloc[1], TILTED)
    assert frame["calculated"][0] == 0.0
    assert not frame["direct"].any(), "a metal has no direct gap"
    assert np.isnan(frame["calculated"][1])
    assert frame["status"].tolist() == ["converged", "failed"]
    facts = tables.provenance(output)
    assert (facts["failed"], facts["kpoints"], facts["set"]) == (1, list(layers.MESH), "mine")
    written = publish.export_tables(tmp_path, tmp_path / "out", "command", None, "mine")
    assert [path.name for path in written] == ["mine.parquet", "mine.cells.parquet"]


# calibration


def calibrated(height, offset, rows=12, seed=0):
    """Data whose gaps are those of calculations at a height with an offset, linear in the height."""
    random = np.random.default_rng(seed)
    start, slope = random.uniform(0.5, 1.5, rows), random.uniform(-80, 80, rows)
    data = pd.DataFrame(random.uniform(3, 4, (rows, 6)), columns=list(CELL)).assign(
        row_id=np.arange(rows) * 3
    )
    data["gap"] = np.maximum(0.0, start + slope * (height - 0.12) + offset)
    parts = [
        data[list(CELL)].assign(
            row=data["row_id"], height=h, relaxed=relaxed, calculated=start + slope * (h - 0.12) + add,
            status="converged",
        )
        for h, relaxed, add in ((0.12, False, 0), (0.124, False, 0), (0.128, False, 0), (0.12, True, 0.3))
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True), data


def test_a_calibration_is_fitted_on_one_half_and_tested_on_the_other():
    cells, data = calibrated(height=0.1253, offset=-0.25)
    table = layers.calibration(cells, data, "gap")
    assert list(table) == list(layers.CALIBRATION)
    assert table.groupby("row")["half"].nunique().eq(1).all()
    assert table.drop_duplicates("row")["half"].value_counts().to_dict() == {"fitted": 6, "tested": 6}
    errors = layers.calibration_errors(table)
    assert errors.groupby("variant").size().to_dict() == {
        "fixed height": 6, "relaxed": 2, "fitted height": 2, "fitted height and offset": 2
    }  # fmt: skip
    best = errors[errors["variant"] == "fitted height and offset"]
    np.testing.assert_allclose(best["height"], 0.1253)
    np.testing.assert_allclose(best["offset"], -0.25)
    assert best["mae"].max() < 1e-6
    fixed = errors[(errors["variant"] == "fixed height") & (errors["height"] == 0.12)].set_index("half")
    for half, mine in table[(table["height"] == 0.12) & ~table["relaxed"]].groupby("half"):
        error = mine["calculated"] - mine["published"]
        assert fixed.loc[half, "mae"] == pytest.approx(error.abs().mean())
        assert fixed.loc[half, "bias"] == pytest.approx(error.mean())
        assert fixed.loc[half, "largest"] == pytest.approx(error.abs().max())


def test_a_failed_calculation_does_not_calibrate():
    cells, data = calibrated(height=0.124, offset=0.0)
    cells.loc[(cells["row"] == 3) & (cells["height"] == 0.128), ["status", "calculated"]] = ["failed", np.nan]
    errors = layers.calibration_errors(layers.calibration(cells, data, "gap"))
    fixed = errors[errors["variant"] == "fixed height"]
    assert fixed.groupby("height")["rows"].sum().eq(11).all()


def test_cells_of_other_data_are_refused():
    cells, data = calibrated(height=0.124, offset=0.0)
    for wrong in (data.assign(a=data["a"] + 0.1), data[data["row_id"] != 6]):
        with pytest.raises(InputError, match="not that of this row"):
            layers.calibration(cells, wrong, "gap")


# selection and verification


def configuration():
    """A study of gaps of cells, with a problem that asks for one."""
    head = {"hidden": [4], "loss": "mse"}
    model = {"inputs": ["cell"], "encoder": {"latents": 1, "hidden": [4]}, "heads": {"gap": head}}
    bounds = {"a": [2.5, 3.8], "b": [2.5, 3.8], "c": [9.8, 14.8], "alpha": [72, 108], "beta": [72, 108]}
    variables = {name: {"between": pair} for name, pair in {**bounds, "gamma": [96, 144]}.items()}
    problem = {
        "title": "A gap",
        "scale": "gap",
        "model": "net",
        "protocol": "halves",
        "space": {"variables": {**variables, "field": {"value": 0.25}}},
        "targets": [{"quantity": "gap.gap", "value": 0.5, "tolerance": 0.1}],
        "methods": {"random": {"kind": "random"}},
        "judges": {"trees": {"features": {"cell": {"columns": list(CELL)}}}},
        "shortlist": {"method": "random", "top": 8},
        "verify": {"gap": "gap.gap", "count": 3, "offset": -0.4},
    }
    columns = {**{name: {} for name in (*CELL, "field")}, "gap": {"unit": "eV", "label": True}}
    return {
        "study": "cells",
        "title": "Cells",
        "question": "Which?",
        "tracking": "off",
        "datasets": {"data": {"title": "data", "file": "cells.csv", "columns": columns}},
        "scales": {
            "gap": {
                "dataset": "data",
                "targets": ["gap"],
                "features": {"cell": {"columns": list(CELL)}},
                "splits": {"halves": {"kind": "shared", "folds": 2}},
                "models": {"net": {"specification": model}},
            }
        },
        "search": {"half": problem},
        "dft": {"sets": {"designs": {"candidates": "half", "layer": {"heights": [0.127]}}}},
    }


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("search", "half", "verify", "gap"), None, "Only the gap of cells is calculated"),
        (("search", "half", "verify", "lattice"), "gap.gap", "give gap, and nothing else"),
        (("search", "half", "verify", "count"), 9, "exceeds that of candidates in the shortlist"),
        (("search", "half", "space", "variables", "gamma"), "drop", "or of the variables a, b"),
        (("dft", "sets", "designs", "layer"), None, "Candidates of a space of cells need a layer"),
        (("dft", "sets", "designs", "layer", "heights"), [0.12, 0.13], "calculated at one"),
    ],
)
def test_a_faulty_verification_of_cells_is_told(keys, value, message):
    given = configuration()
    part = given
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    if value == "drop":
        del part[keys[-1]]
    with pytest.raises(InputError, match=message):
        study_from(given)


@pytest.fixture
def design(tmp_path):
    """The problem, with a stand-in for the members: the gap is a - 2.5 with a spread of 0.1 eV."""
    study = study_from(configuration())
    space = design_space(study.search["half"].space)
    features = pd.DataFrame([[3.0, 3.0, 12.0, 90.0, 90.0, 120.0]], columns=list(CELL))
    tables.write(tmp_path / "features.parquet", features, dict.fromkeys(CELL, tables.Column("float64")))

    class FirstSix:
        columns = CELL

        def __call__(self, x):
            return x[:, :6]

    class Members:
        maps = types.MappingProxyType({"gap": FirstSix()})

        def __call__(self, x):
            return {"gap.gap": (x[:, 0] - 2.5, torch.full_like(x[:, 0], 0.1))}

    columns = list(CELL)
    described = Domain.of_rows(
        "gap",
        features.assign(formula="", material="row 0"),
        DomainInputs(columns, [], columns, {"cell": columns}),
    )
    domain = tmp_path / "domain.parquet"
    described.write(domain, dict.fromkeys(CELL, tables.Column("float64")), {})
    members = types.SimpleNamespace(features={"gap": tmp_path / "features.parquet"}, domains={"gap": domain})
    problem = Problem(space, Members(), [Target("gap.gap", "value", 0.5, tolerance=0.1)])
    return Design(study, "half", members, space, Members(), problem, problem)


def test_the_farthest_come_first_and_no_material_twice(design):
    x = design.space.sample(20, 0)
    x[5] = x[2]
    rows = farthest(design.space, x, 4)
    assert rows[0] == 0
    between = design.space.distance(x[:, None], x[None])
    for n in range(1, 4):
        nearest = between[:, rows[:n]].min(axis=1)
        assert nearest[rows[n]] == nearest.max()
    assert len(farthest(design.space, x, 99)) == 19


def test_hits_far_from_each_other_are_selected(design, tmp_path):
    x = design.space.sample(8, 1)
    frame = pd.DataFrame(x, columns=list(design.space.columns))
    frame = frame.assign(formula="", rank=np.arange(1, 9), hit=np.arange(8) < 6)
    kinds = {"formula": "string", "rank": "int32", "hit": "bool"}
    schema = {name: tables.Column(kinds.get(name, "float64")) for name in frame}
    tables.write(tmp_path / "shortlist.parquet", frame, schema)
    select_cells(design, tmp_path / "shortlist.parquet", tmp_path / "s.parquet", tmp_path / "s.csv")
    chosen = tables.read(tmp_path / "s.parquet")
    assert len(chosen) == 3
    assert chosen["rank"].iloc[0] == 1
    assert chosen["hit"].all()
    csv = pd.read_csv(tmp_path / "s.csv")
    assert list(csv) == [*CELL, "field"]
    np.testing.assert_allclose(csv, chosen[[*CELL, "field"]])
    tables.write(tmp_path / "none.parquet", frame.assign(hit=False), schema)
    with pytest.raises(InputError, match="no hit"):
        select_cells(design, tmp_path / "none.parquet", tmp_path / "s.parquet", tmp_path / "s.csv")


def test_target_prediction_and_calculation_stand_side_by_side(design, tmp_path):
    rows = [
        (3.0, 3.0, 12.0, 90.0, 90.0, 120.0),
        (3.1, 3.2, 12.5, 88.0, 91.0, 118.0),
        (3.2, 3.2, 12.5, 88.0, 91.0, 118.0),
        (3.3, 3.2, 12.5, 88.0, 91.0, 150.0),
    ]
    frame = pd.DataFrame(rows, columns=list(CELL)).assign(
        structure=list("wxyz"), row=range(4), formula="MoS2", height=0.127, relaxed=False, direct=False,
        calculated=[0.95, 0.3, np.nan, 1.0], energy=-20.0, message="", seconds=1.0,
        status=["converged", "converged", "failed", "converged"],
    )  # fmt: skip
    tables.write(tmp_path / "cells.parquet", frame, layers.CELLS)
    verify_cells(design, tmp_path / "cells.parquet", tmp_path / "verified.parquet")
    found = tables.read(tmp_path / "verified.parquet")
    assert found["wanted"].tolist() == [0.5, 0.5]
    np.testing.assert_allclose(found["mean"], [0.5, 0.6])
    np.testing.assert_allclose(found["std"], 0.1)
    np.testing.assert_allclose(found["calculated"], [0.55, 0.0])
    np.testing.assert_allclose(found[list(CELL)], rows[:2])
    assert found["field"].tolist() == [0.25, 0.25]
    assert found["trained_on"].tolist() == [True, False]
    assert found["formula"][1] == "MoS2 3.100 3.200 12.500 88.0 91.0 118.0"
    assert found["unit"].unique().tolist() == ["eV"]
    outside = frame.assign(gamma=150.0)
    tables.write(tmp_path / "outside.parquet", outside, layers.CELLS)
    with pytest.raises(InputError, match="no calculated cell of the space"):
        verify_cells(design, tmp_path / "outside.parquet", tmp_path / "verified.parquet")


def test_the_report_tells_targets_and_calibration(design, tmp_path):
    rows = pd.DataFrame([TILTED, TILTED], columns=list(CELL)).assign(
        structure=list("wx"), row=range(2), formula="MoS2", height=0.127, relaxed=False, direct=False,
        calculated=[0.95, 0.8], energy=-20.0, message="", seconds=1.0, status="converged",
    )  # fmt: skip
    tables.write(tmp_path / "cells.parquet", rows, layers.CELLS)
    folder = tmp_path / "search" / "half"
    folder.mkdir(parents=True)
    verify_cells(design, tmp_path / "cells.parquet", folder / "verified.parquet")
    table = layers.calibration(*calibrated(height=0.1253, offset=-0.25), "gap")
    tables.write(folder / "calibration.parquet", table, layers.CALIBRATION)
    errors = layers.calibration_errors(table)
    tables.write(folder / "calibration.errors.parquet", errors, layers.CALIBRATION_ERRORS)
    given = configuration()
    problem = given["search"]["half"]
    problem["verify"] |= {"file": "cells.parquet", "calibration": ["calibration.cells.parquet"]}
    study = study_from(given)
    needed = [path for path in required_tables(study) if "calibration" in path]
    assert needed == [f"search/half/{name}.parquet" for name in ("calibration", "calibration.errors")]
    source = Source(study, tmp_path)
    verified = SECTIONS["verification"]().numbers(source, "half")
    heads, first, *_ = table_cells(section_html("verification", verified))
    assert heads[2:] == ["Wanted", "Predicted", "DFT", "Error", "Domain"]
    assert first[2] == "0.500"
    assert "−0.400 eV is added" in section_text("verification", verified)
    assert section_text("verification", verified, "summary").startswith("Verification. Against DFT: ")
    calculated = SECTIONS["calculated_rows"]().numbers(source, "half")
    text = section_text("calculated_rows", calculated, "summary")
    assert "fitted height and offset and −0.250 eV added" in text
    rows = table_cells(section_html("calculated_rows", calculated))
    assert rows[0][3:] == ["0.12 c", "0.124 c", "0.128 c", "Relaxed"]
    assert rows[13][0] == "Positions"
    assert len(rows[14:]) == len(errors)


# the shipped calculations

REFERENCE = ROOT / "resources/reference/mos2_calibration.parquet"


@pytest.mark.mirror
def test_height_and_offset_of_the_study_are_those_of_its_calibration(mirror):
    study = load_study(ROOT / "resources/studies/matdesinne_mos2.yaml")
    data = pd.read_csv(mirror / "matdesinne/data_x.csv", header=None, usecols=range(6), names=CELL)
    data["gap"] = pd.read_csv(mirror / "matdesinne/data_y.csv", header=None)[0]
    data["row_id"] = np.arange(len(data))
    for problem in study.search.values():
        assert problem.verify is not None
        cells = pd.concat([tables.read(ROOT / path) for path in problem.verify.calibration])
        table = layers.calibration(cells, data, "gap")
        errors = layers.calibration_errors(table)
        [best] = errors[
            (errors["variant"] == "fitted height and offset") & (errors["half"] == "tested")
        ].to_dict("records")
        assert best["mae"] < 0.02
        assert best["offset"] == pytest.approx(problem.verify.offset)
        designed = tables.read(ROOT / problem.verify.file)
        np.testing.assert_allclose(designed["height"], best["height"])
        assert len(designed) == problem.verify.count


@pytest.fixture(scope="module")
def gpaw():
    """An interpreter with GPAW."""
    try:
        return interpreter.check_interpreter("/usr/bin/python3")["interpreter"]
    except InputError as error:
        pytest.skip(f"needs GPAW: {error}")


@pytest.mark.slow
def test_a_calibrated_cell_comes_out_again(gpaw, tmp_path):
    [known] = [r for r in dft_records.read_records([REFERENCE]) if r["structure"] == "MoS2 455 0.127"]
    cell = tables.read(REFERENCE.with_suffix(".cells.parquet"), structure=known["structure"])
    cell[list(CELL)].to_csv(tmp_path / "cells.csv", index=False)
    given = configuration()
    del given["search"]
    entry = {
        "file": "cells.csv",
        "layer": {"heights": cell["height"].tolist()},
        "settings": {"kpoints": known["kpoints"]},
    }
    given["dft"] = {"python": gpaw, "parts": 1, "sets": {"mine": entry}}
    write_study(tmp_path, given)
    snakemake(tmp_path, "dft")
    found = tables.read(tmp_path / "results/cells/dft/mine.cells.parquet")
    assert found["calculated"][0] == pytest.approx(known["gap"], abs=2e-3)
    assert found["energy"][0] == pytest.approx(known["energy"], abs=2e-3)
    assert not (tmp_path / "results/cells/dft/compounds.parquet").exists()
