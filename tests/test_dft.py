"""DFT calculations: configuration, structures, journal, tables, rules; and GPAW itself where it is there."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import types
import typing

import numpy as np
import pandas as pd
import pytest
import yaml

from nestmat import cli, tables
from nestmat.config.dft import DFT_TABLES, StructureSet
from nestmat.config.loading import study_from
from nestmat.dft import interpreter, reference_set, structure_sets, structures, summaries
from nestmat.dft import records as dft_records
from nestmat.dft.registry import STRUCTURE_SETS
from nestmat.errors import InputError
from nestmat.paths import ROOT

PYTHON = "/usr/bin/python3"
PROGRAM = ROOT / "scripts/run_dft.py"
REFERENCE = ROOT / "resources/reference/calculations.parquet"
TABLE = """\
formula,lattice
CsPbI3,6.4
Cs2SnPbI6,
CsPbBr1.5I1.5,
Cs2AgBiBr6,
CsPbI2Br,
Cs0.5Rb0.5PbI3,
CsSn0.5Pb0.5Br1.5I1.5,
MAPbI3,
CsMnCl3,
CsBiI3,
CsPbI,
CsPbQq3,
CsPbI3,6.3
KMgF3,0.41
RbCaF3,wide
"""


@pytest.fixture(scope="module")
def gpaw():
    """An interpreter with GPAW."""
    try:
        return interpreter.check_interpreter(PYTHON)["interpreter"]
    except InputError as error:
        pytest.skip(f"needs GPAW: {error}")


def study(**dft_block):
    """The least study, with calculations."""
    model = {
        "inputs": ["inputs"],
        "encoder": {"latents": 1, "hidden": [4]},
        "heads": {"inputs": {"hidden": [4], "loss": "mse"}},
    }
    return {
        "study": "small",
        "title": "Small",
        "question": "Does it run?",
        "tracking": "off",
        "datasets": {
            "data": {
                "title": "data",
                "generator": {"kind": "nested_functions", "scale": 1, "noise": 0.1},
                "columns": {"x0_1": {}, "y0_1": {"label": True}},
            }
        },
        "scales": {
            "one": {
                "dataset": "data",
                "features": {"inputs": {"columns": ["x0_1"]}},
                "models": {"nestmat": {"specification": model}},
            }
        },
        "dft": dft_block,
    }


def snakemake(folder, *arguments):
    command = [sys.executable, "-m", "snakemake", *arguments, "--cores", "1"]
    command += ["--snakefile", str(ROOT / "Snakefile"), "--configfile", "study.yaml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def write_study(folder, **dft_block):
    (folder / "study.yaml").write_text(yaml.safe_dump(study(**dft_block), sort_keys=False))


# configuration

TERNARIES = {"set": "ternaries"}


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ({}, "at least 1"),
        ({"mine": {}}, "exactly one of set, file"),
        ({"mine": {"set": "ternaries", "file": "a.csv"}}, "exactly one of set, file"),
        ({"mine": {"file": "a.csv", "after": ["mine"]}}, "with nothing else"),
        ({"mine": {"set": "perovskites"}}, "dft.sets.mine.set"),
        ({"alloys": {"set": "alloys"}}, "name the set of the ternaries in after"),
        ({"alloys": {"set": "alloys", "after": ["t"]}, "t": TERNARIES}, "'t' is not a set listed before"),
        *(({name: TERNARIES}, "the name of a table of results") for name in DFT_TABLES),
        ({"a b": TERNARIES}, "dft.sets"),
    ],
)
def test_a_faulty_block_is_told_by_its_key(sets, message):
    with pytest.raises(InputError) as caught:
        study_from(study(sets=sets))
    assert message in str(caught.value)
    assert "dft" in str(caught.value)


def test_the_sets_of_the_configuration_are_those_there_are():
    literal = typing.get_args(StructureSet.model_fields["set"].annotation)[0]
    assert set(typing.get_args(literal)) == set(STRUCTURE_SETS)


# structures


def test_a_users_table_gives_structures_and_a_reason_for_every_other_row(csv_file):
    found, rejects = structure_sets.read_structures(csv_file(TABLE), "mine")
    assert [(s["formula"], s["prototype"]) for s in found] == [
        ("CsPbI3", "perovskite"),
        ("CsSn0.5Pb0.5I3", "ordered_perovskite"),
        ("CsPbBr1.5I1.5", "ordered_perovskite"),
        ("CsAg0.5Bi0.5Br3", "ordered_perovskite"),
        ("Cs0.5Rb0.5PbI3", "ordered_perovskite"),
        ("CsSn0.5Pb0.5Br1.5I1.5", "ordered_perovskite"),
    ]
    assert [s["relax"] for s in found] == [False, *[True] * 5]
    assert found[4]["symbols"] == ["Cs", "Rb", "Pb", "Pb"] + ["I"] * 6
    assert found[5]["symbols"] == ["Cs", "Cs", "Sn", "Pb"] + ["Br"] * 3 + ["I"] * 3
    assert found[0]["cell"] == (6.4 * np.eye(3)).tolist()
    assert found[0]["probes"] == [0.97, 1.0, 1.03]
    assert found[1]["symbols"] == ["Cs", "Cs", "Sn", "Pb"] + ["I"] * 6
    # The radius rule, with the mean of the two: 2 (r_B + r_X).
    assert np.linalg.det(found[1]["cell"]) / 2 == pytest.approx((2 * (1.19 / 2 + 1.15 / 2 + 2.2)) ** 3)
    reasons = {row: (column, value, reason) for row, column, value, reason in rejects.to_numpy()}
    assert list(reasons) == [6, 9, 10, 11, 12, 13, 14, 15, 16]
    for row, column, value, part in [
        (6, "formula", "CsPbI2Br", "in equal parts"),
        (9, "formula", "MAPbI3", "molecule MA"),
        (10, "formula", "CsMnCl3", "unpaired electrons"),
        (11, "formula", "CsBiI3", "sum to +1"),
        (12, "formula", "CsPbI", "not an ABX3"),
        (13, "formula", "CsPbQq3", "neither an element"),
        (14, "formula", "CsPbI3", "row 2 again"),
        (15, "lattice", "0.41", "not the lattice constant"),
        (16, "lattice", "wide", "not a number"),
    ]:
        assert reasons[row][:2] == (column, value)
        assert part in reasons[row][2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("compound\nCsPbI3\n", "has no column"),
        ("formula\nNaCl\n", "no structure to calculate"),
        ("", "is empty"),
    ],
)
def test_a_table_that_cannot_be_used_is_told_by_its_name(csv_file, content, message):
    with pytest.raises(InputError, match=message) as caught:
        structure_sets.read_structures(csv_file(content, "odd.csv"), "mine")
    assert "odd.csv" in str(caught.value)


def test_options_are_handed_on_or_named_as_unknown(csv_file):
    path = csv_file("formula\nCsPbI3\n")
    options = {"cutoff": 250, "edges": [[0.5, 0.5, 0.0]], "strains": [0.0], "kpoints": [2, 2, 2]}
    [structure], _ = structure_sets.read_structures(path, "mine", **options)
    assert structure["settings"]["cutoff"] == 250
    assert structure["settings"]["edges"] == [[0.5, 0.5, 0.0]]
    assert structure["strains"] == [0.0]
    assert structure["kpoints"] == [2, 2, 2]
    for spec in (
        StructureSet(file=str(path), options={"cutof": 250}),
        StructureSet(set="alloys", after=["t"], options={"cont": 3}),
        StructureSet(set="ternaries", options={"count": 3}),
    ):
        with pytest.raises(InputError, match="has no option"):
            structure_sets.list_structures(spec, "mine")


def test_the_documentation_lists_the_keys_of_a_structure():
    text = (ROOT / "docs/dft.md").read_text(encoding="utf-8").split("### A structure")[1].split("\n## ")[0]
    told = dict(re.findall(r"^\| `(\w+)`(\*?) \|", text, re.MULTILINE))
    alloy = structures.structure_record("ordered_perovskite", "", ("Cs", ("Pb", "Sn"), ("I", "I")), 6.0)
    assert set(told) == {*alloy, *alloy["settings"]}
    options = {"kpoints", "probes", "strains", *alloy["settings"]}
    assert {name for name, star in told.items() if star} == options


def test_built_in_sets_are_those_of_the_library():
    found, rejects = structure_sets.list_structures(StructureSet(set="ternaries"), "ternaries")
    assert found == list(structures.ternaries())
    assert rejects.empty
    assert set(rejects) == set(tables.REJECTS)


# the program, with a stand-in for GPAW: energies are a parabola about the scale 0.97


@pytest.fixture
def loaded(monkeypatch):
    """`scripts/run_dft.py` as a module."""

    class Anything(types.ModuleType):
        def __getattr__(self, name):
            return Exception if name.endswith("Error") else self

    for name in ("ase", "ase.optimize", "ase.units", "gpaw"):
        module = Anything(name)
        module.__version__ = "0"
        monkeypatch.setitem(sys.modules, name, module)
    spec = importlib.util.spec_from_file_location("run_dft", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def program(loaded, monkeypatch):
    """The program with calculations that take no time; it counts them."""

    def solve(structure, kind, cell, positions):
        loaded.solved += 1
        if "Pb" in structure["symbols"]:
            return {"status": "failed", "message": "attempt 1: no", "attempt": 2}
        scale = np.sum(cell) / np.sum(structure["cell"])
        results = {"energy": 100 * (scale**-2 - 0.97**-2) ** 2, "gap": 1.0, "positions": positions.tolist()}
        return {"status": "converged", "message": "", "attempt": 1, "steps": 0, **results}

    loaded.solved = 0
    monkeypatch.setattr(loaded, "solve", solve)
    return loaded


@pytest.fixture
def call(program, tmp_path, monkeypatch):
    """Run the program on three structures; the records of its output."""
    wanted = [structures.structure_record("rocksalt", f"{a}Cl", (a, "Cl"), 6.0) for a in ("K", "Rb", "Pb")]
    structure_sets.write_structures(wanted, tmp_path / "wanted.jsonl")

    def run(part=0, parts=1):
        options = {
            "structures": "wanted.jsonl",
            "journal": f"journal/{part}.jsonl",
            "output": f"{part}.jsonl",
        }
        arguments = [text for key, file in options.items() for text in (f"--{key}", str(tmp_path / file))]
        monkeypatch.setattr(
            sys, "argv", ["run_dft.py", *arguments, "--part", str(part), "--parts", str(parts)]
        )
        program.main()
        return dft_records.read_parts([tmp_path / f"{part}.jsonl"])

    return run


def test_strains_are_about_the_minimum_and_a_failed_structure_stays(call):
    records = call()
    scales = [r["scale"] for r in records if r["formula"] == "KCl" and r["kind"] == "strain"]
    # Probes stand for the strains -0.036 and -0.012.
    assert scales == pytest.approx([0.97 * (1 + strain) for strain in (-0.06, 0.012, 0.036, 0.06)], rel=1e-3)
    failed = [r for r in records if r["status"] == "failed"]
    assert [r["scale"] for r in failed] == list(structures.PROBES)
    assert {r["message"] for r in failed} == {"attempt 1: no"}
    assert not {"energy", "gap"} & set(failed[0])


def test_a_second_run_calculates_nothing(call, program, tmp_path):
    first, solved = call(), program.solved
    journal = (tmp_path / "journal/0.jsonl").read_bytes()
    assert len(journal.splitlines()) == solved == len(first)
    assert call() == first
    assert program.solved == solved
    assert (tmp_path / "journal/0.jsonl").read_bytes() == journal


def test_a_line_cut_short_is_calculated_again_and_nothing_else(call, program, tmp_path):
    first, solved = call(), program.solved
    journal = tmp_path / "journal/0.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-30])
    again = call()
    assert program.solved == solved + 1
    assert [r["key"] for r in again] == [r["key"] for r in first]
    lines = journal.read_bytes().split(b"\n")
    assert lines[:-2] == whole.split(b"\n")[:-2]
    assert json.loads(lines[-2])["key"] == first[-1]["key"]


def test_other_parts_find_what_is_calculated(call, program):
    first, solved = call(), program.solved
    parts = [record for part in range(3) for record in call(part, 3)]
    assert program.solved == solved
    assert parts == first


def test_a_second_process_cannot_write_the_same_journal(program, tmp_path):
    journal = tmp_path / "0.jsonl"
    first = program.Journal(journal)
    with pytest.raises(SystemExit, match="written by another process"):
        program.Journal(journal)
    # Nor has it cut off a line that the first has begun.
    first.stream.write(b'{"key"')
    with pytest.raises(SystemExit):
        program.Journal(journal)
    assert journal.read_bytes() == b'{"key"'
    other = program.Journal(tmp_path / "1.jsonl")
    other.close()
    first.close()
    program.Journal(journal).close()
    assert journal.read_bytes() == b""


def test_a_record_is_written_to_its_last_byte(program, tmp_path):
    journal = program.Journal(tmp_path / "0.jsonl")
    stream = journal.stream

    class Slow:
        def write(self, content):
            return stream.write(content[:100])

        def fileno(self):
            return stream.fileno()

    journal.stream = Slow()
    structure = structures.structure_record("rocksalt", "KCl", ("K", "Cl"), 6.0)
    record = journal.calculate(structure, "probe", 1.0, np.array(structure["positions"]))
    assert json.loads((tmp_path / "0.jsonl").read_bytes()) == record
    stream.close()


def test_lines_that_are_no_records_are_named_and_calculated_again(call, program, tmp_path):
    first, solved = call(), program.solved
    journal = tmp_path / "journal/0.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([b"\0" * 20 + b"\n", b"[]\n", b"{}\n", *lines[1:]]))
    with pytest.warns(UserWarning, match="is no calculation") as warned:
        again = call()
    assert [f"0.jsonl, line {n}" in str(w.message) for n, w in enumerate(warned, start=1)] == [True] * 3
    assert program.solved == solved + 1
    assert again == first


@pytest.mark.parametrize("order", [1, -1])
def test_a_converged_record_counts_before_a_failed_one(program, tmp_path, order):
    good = {"key": "a", "status": "converged"}
    for name, record in zip("01"[::order], (good, {"key": "a", "status": "failed"}), strict=True):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(record) + "\n")
    journal = program.Journal(tmp_path / "2.jsonl")
    assert journal.done == {"a": good}
    journal.close()


# one structure


@pytest.fixture
def studied(loaded, monkeypatch, tmp_path):
    """Every calculation of a structure whose energy is a function of the scale, and what was calculated."""
    calls = []

    def run(structure, energy, failed=()):
        def solve(structure, kind, cell, positions):
            scale = np.sum(cell) / np.sum(structure["cell"])
            calls.append((kind, round(scale, 6), positions.tolist()))
            if kind in failed:
                return {"status": "failed", "message": "no"}
            moved = positions + 0.01 if kind == "relaxation" else positions
            return {
                "status": "converged", "message": "", "energy": energy(scale), "gap": 1.0,
                "positions": moved.tolist(),
            }  # fmt: skip

        monkeypatch.setattr(loaded, "solve", solve)
        with contextlib.closing(loaded.Journal(tmp_path / "0.jsonl")) as journal:
            return loaded.study(structure, journal), calls

    return run


def parabola(best):
    return lambda scale: (scale**-2 - best**-2) ** 2


def test_strains_keep_the_relaxed_positions_and_are_apart_from_the_probes(studied):
    structure = structures.structure_record("perovskite", "CsPbI3", ("Cs", "Pb", "I"), 6.4, relax=True)
    records, calls = studied(structure, parabola(0.97))
    kinds = [r["kind"] for r in records]
    # The atoms have moved: also the strains where a probe was are calculated; only the relaxation is at 0.
    assert kinds == ["probe"] * 3 + ["relaxation"] + ["strain"] * 6
    assert [r["scale"] for r in records[4:]] == pytest.approx([0.97 * (1 + s) for s in structures.STRAINS])
    assert records[3]["scale"] == 0.97
    start, moved = np.array(structure["positions"]), np.array(structure["positions"]) + 0.01
    for kind, _, positions in calls:
        np.testing.assert_allclose(positions, moved if kind == "strain" else start)
    assert len({r["key"] for r in records}) == len(records)
    again, calls = studied(structure, parabola(0.97))
    assert again == records
    assert len(calls) == len(records)


def test_a_relaxation_that_fails_is_the_last_record(studied):
    structure = structures.structure_record("perovskite", "CsPbI3", ("Cs", "Pb", "I"), 6.4, relax=True)
    records, _ = studied(structure, parabola(0.97), failed=("relaxation",))
    assert [(r["kind"], r["status"]) for r in records[2:]] == [
        ("probe", "converged"),
        ("relaxation", "failed"),
    ]


@pytest.mark.parametrize(("best", "added"), [(0.9, [0.905]), (1.08, [1.025, 1.055, 1.085])])
def test_probes_are_added_downhill(studied, best, added):
    structure = structures.structure_record("rocksalt", "KCl", ("K", "Cl"), 6.0, strains=(0.03,))
    records, _ = studied(structure, parabola(best))
    assert [r["scale"] for r in records if r["kind"] == "probe"] == [*structures.PROBES, *added]
    assert records[-1]["scale"] == pytest.approx(best * 1.03)


@pytest.mark.parametrize("relax", [True, False])
def test_a_search_that_finds_no_minimum_ends_with_the_reason(studied, relax):
    structure = structures.structure_record("perovskite", "CsPbI3", ("Cs", "Pb", "I"), 6.4, relax=relax)
    records, calls = studied(structure, lambda scale: -scale)
    assert [r["kind"] for r in records] == ["probe"] * 7 + ["search"]
    assert [r["scale"] for r in records[3:7]] == pytest.approx([1.025, 1.055, 1.085, 1.115])
    assert records[-1]["status"] == "failed"
    assert "0.935 to 1.115" in records[-1]["message"]
    again, calls = studied(structure, lambda scale: -scale)
    assert again == records
    assert len(calls) == 7
    frame = reference_set.calculations(
        [{"pressure": 0.0, "force": 0.0, "direct_gap": 1.0, "direct": True} | r for r in records]
    )
    assert frame["kind"].iloc[-1] == "search"
    assert np.isnan(frame["energy"].iloc[-1])


def test_the_minimum_of_a_curve(loaded):
    scales = [0.935, 0.965, 0.995]
    assert loaded.minimum(scales, [parabola(0.98)(s) for s in scales]) == pytest.approx(0.98)
    # Far outside: not further than two steps.
    assert loaded.minimum(scales, [parabola(0.7)(s) for s in scales]) == pytest.approx(0.875)
    assert loaded.minimum(scales, [parabola(1.7)(s) for s in scales]) == pytest.approx(1.055)
    # Curved downwards: where the energy falls, and the lowest point if that is inside.
    assert loaded.minimum(scales, [0.0, -1.0, -3.0]) == pytest.approx(1.055)
    assert loaded.minimum(scales, [-3.0, -1.0, 0.0]) == pytest.approx(0.875)
    assert loaded.minimum([*scales, 1.025], [-3.0, -3.1, 0.0, -2.0]) == 0.965


def test_the_key_tells_calculations_apart(loaded):
    structure = structures.structure_record("perovskite", "CsPbI3", ("Cs", "Pb", "I"), 6.4)
    cell, positions = np.array(structure["cell"]), np.array(structure["positions"])
    settings = structure["settings"]

    def key(kind="strain", cell=cell, positions=positions, **changes):
        return loaded.key({**structure, **changes}, kind, cell, positions)

    others = [
        key("relaxation"),
        key("search"),
        key(cell=1.001 * cell),
        key(positions=positions + 0.001),
        key(kpoints=[4, 4, 5]),
        key(symbols=["Cs", "Pb", "I", "I", "Br"]),
        *(key(settings={**settings, name: 0}) for name in settings),
        *(key(settings={k: v for k, v in settings.items() if k != name}) for name in settings),
        key(settings={**settings, "edges": [[0.5, 0.5, 0.5]]}),
    ]
    assert len({key(), *others}) == 1 + len(others)
    # Not told apart: names, and what is below the accuracy of a calculation.
    same = [key("probe"), key(structure="other"), key(cell=cell + 1e-7), key(positions=positions - 1e-7)]
    assert set(same) == {key()}


def test_the_keys_of_the_reference_set_still_hold(loaded):
    for record in dft_records.read_records([REFERENCE.with_name("records.parquet")]):
        if record["kind"] in ("probe", "strain"):  # the positions before a relaxation are not kept
            cell, positions = np.array(record["cell"]), np.array(record["positions"])
            # The key was made of more digits than the record keeps, which may round another way.
            near = (cell * (1 + shift) for shift in (0, 1e-9, -1e-9))
            assert record["key"] in {loaded.key(record, record["kind"], c, positions) for c in near}


# one calculation


class Crystal:
    """A crystal without forces, which a relaxation moves by 0.1."""

    def __init__(self, symbols, scaled_positions, cell, pbc):
        self.positions = np.array(scaled_positions)

    def get_scaled_positions(self):
        return self.positions

    def get_potential_energy(self):
        return self.calc.energy()

    def get_stress(self, voigt):
        return -np.eye(3)

    def get_forces(self):
        return np.zeros_like(self.positions)


class Optimiser:
    """Needs three steps in all where two are allowed at a time."""

    def __init__(self, atoms, logfile):
        self.atoms, self.nsteps = atoms, 0

    def run(self, fmax, steps):
        need = round((0.3 - float(self.atoms.positions[0, 0])) / 0.1)
        self.nsteps = min(steps, need)
        self.atoms.positions += 0.1 * self.nsteps
        return need <= steps


@pytest.fixture
def attempts(loaded, monkeypatch):
    """Solve with stand-ins for GPAW and ASE; each attempt's caution, and the error its energy raises."""

    class ConvergenceError(Exception):
        pass

    made = []

    def run(kind, *errors, steps=2):
        def calculator(structure, cautious):
            made.append(cautious)
            error = errors[len(made) - 1] if len(made) <= len(errors) else None

            def energy():
                if error is not None:
                    raise error
                return -1.0

            return types.SimpleNamespace(energy=energy)

        monkeypatch.setattr(loaded, "calculator", calculator)
        structure = structures.structure_record("perovskite", "CsPbI3", ("Cs", "Pb", "I"), 6.4, steps=steps)
        return loaded.solve(structure, kind, np.eye(3), np.zeros((5, 3))), made

    monkeypatch.setattr(loaded, "Atoms", Crystal)
    monkeypatch.setattr(loaded, "BFGS", Optimiser)
    monkeypatch.setattr(loaded, "GPa", 1.0)
    monkeypatch.setattr(loaded, "band_edges", lambda calc, points: {"gap": 1.0})
    monkeypatch.setattr(loaded.gpaw, "KohnShamConvergenceError", ConvergenceError, raising=False)
    run.unconverged = ConvergenceError("did not converge")
    return run


def test_a_relaxation_goes_on_from_where_it_ran_out_of_steps(attempts):
    result, cautious = attempts("relaxation")
    assert (result["status"], result["attempt"], result["steps"]) == ("converged", 2, 3)
    assert cautious == [False, False]
    assert result["positions"] == pytest.approx(np.full((5, 3), 0.3))
    assert "forces remain after 2 steps" in result["message"]
    result, _ = attempts("relaxation", steps=1)
    assert result["status"] == "failed"
    assert "attempt 2: RelaxationError: forces remain after 2 steps" in result["message"]


def test_a_density_that_does_not_converge_is_mixed_with_caution(attempts):
    result, cautious = attempts("strain", attempts.unconverged)
    assert (result["status"], result["attempt"], cautious) == ("converged", 2, [False, True])
    assert result["message"] == "attempt 1: ConvergenceError: did not converge"
    assert result["pressure"] == 1.0


def test_a_relaxation_whose_density_does_not_converge_starts_again(attempts):
    result, cautious = attempts("relaxation", attempts.unconverged, steps=5)
    assert (result["status"], result["steps"], cautious) == ("converged", 6, [False, True])
    assert result["positions"] == pytest.approx(np.full((5, 3), 0.3))


@pytest.mark.parametrize("error", [AssertionError(), KeyError("Yb"), IndexError(), NotImplementedError()])
def test_any_error_is_the_end_of_one_calculation_only(attempts, error):
    result, cautious = attempts("strain", error, error)
    assert result["status"] == "failed"
    assert result["message"].startswith(f"attempt 1: {type(error).__name__}")
    assert cautious == [False]


class Bands:
    """K points and energies of a filled and an empty band, and the energies at any further k points."""

    def __init__(self, kpoints, bands, elsewhere=()):
        self.kpoints, self.bands, self.elsewhere = kpoints, bands, elsewhere

    def get_ibz_k_points(self):
        return np.array(self.kpoints, dtype=float)

    def get_eigenvalues(self, kpt):
        return np.array(self.bands[kpt])

    def get_number_of_electrons(self):
        return 2.0

    def fixed_density(self, kpts, **options):
        assert options["symmetry"] == "off"
        return Bands(kpts, self.elsewhere)


GAMMA, X, L = (0.0, 0.0, 0.0), (0.5, 0.5, 0.0), (0.5, 0.5, 0.5)


def test_the_edges_of_an_indirect_gap_lie_at_two_k_points(loaded):
    found = loaded.band_edges(Bands([GAMMA, X], [[0.0, 3.0], [-1.0, 2.0]]), [])
    assert (found["gap"], found["direct_gap"], found["direct"]) == (2.0, 3.0, False)
    assert (found["k_valence"], found["k_conduction"]) == (list(GAMMA), list(X))
    assert (found["valence_edge"], found["conduction_edge"]) == (0.0, 2.0)
    direct = loaded.band_edges(Bands([GAMMA, X], [[0.0, 2.0], [-1.0, 3.0]]), [])
    assert (direct["gap"], direct["direct_gap"], direct["direct"]) == (2.0, 2.0, True)


def test_the_gap_of_a_metal_is_zero(loaded):
    found = loaded.band_edges(Bands([GAMMA, X], [[0.0, 3.0], [-4.0, -0.5]]), [])
    assert (found["gap"], found["direct_gap"], found["direct"]) == (0.0, 3.0, False)
    assert found["valence_edge"] > found["conduction_edge"]


def test_edges_are_looked_for_at_further_k_points(loaded):
    calculation = Bands([GAMMA, X], [[0.0, 3.0], [-1.0, 2.0]], elsewhere=[[0.5, 1.5]])
    found = loaded.band_edges(calculation, [list(L)])
    assert (found["gap"], found["direct_gap"], found["direct"]) == (1.0, 1.0, True)
    assert found["k_valence"] == found["k_conduction"] == list(L)


# records and tables


def records_of(call):
    """Records with what the stand-in leaves out."""
    rest = {"pressure": 0.0, "force": 0.0, "direct_gap": 1.0, "direct": True, "valence_edge": 0.0}
    rest |= {"conduction_edge": 1.0, "k_valence": [0.5, 0.5, 0.5], "k_conduction": [0.0, 0.0, 0.0]}
    return [{**r, **(rest if r["status"] == "converged" else {})} for r in call()]


def test_records_come_back_from_their_table(call, tmp_path):
    records = records_of(call)
    dft_records.write_records(records, tmp_path / "t.parquet", set="t")
    assert dft_records.read_records([tmp_path / "t.parquet"]) == records
    assert tables.schema(tmp_path / "t.parquet")["energy"].unit == "eV"


def test_the_summary_keeps_failed_calculations_and_says_what_it_was_made_with(call, tmp_path, capsys):
    records = records_of(call)
    dft_records.write_records(records, tmp_path / "t.parquet")
    results = {name: tmp_path / f"{name}.parquet" for name in DFT_TABLES}
    summaries.summarise_sets([tmp_path / "t.parquet"], results, study="small", sets=["t"])
    frame = tables.read(results["calculations"])
    assert len(frame) == len(records)
    failed = frame[frame["status"] == "failed"]
    assert set(failed["message"]) == {"attempt 1: no"}
    assert failed[["energy", "gap", "strain"]].isna().all(axis=None)
    # Binaries are no compounds of their own: the table is empty, with its columns.
    assert tables.read(results["compounds"]).empty
    assert cli.main(["dft", "export", str(tmp_path), str(tmp_path / "out")]) == 0
    assert str(tmp_path / "out/compounds.parquet") in capsys.readouterr().out
    exported = tmp_path / "out/calculations.parquet"
    pd.testing.assert_frame_equal(tables.read(exported), frame)
    assert tables.schema(exported) == tables.schema(results["calculations"])
    facts = tables.provenance(exported)
    assert facts["licence"] == "CC0-1.0"
    assert facts["versions"]["gpaw"] == "0"
    assert facts["settings"]["functional"] == "PBE"
    assert facts["command"].startswith("nestmat dft export")
    assert (facts["calculations"], facts["failed"]) == (len(records), 3)


def test_exported_calculations_are_not_made_again(call, tmp_path, capsys):
    records = records_of(call)
    dft_records.write_records(records, tmp_path / "t.parquet")
    summaries.summarise_sets(
        [tmp_path / "t.parquet"], {name: tmp_path / f"{name}.parquet" for name in DFT_TABLES}, sets=["t", "u"]
    )
    capsys.readouterr()
    assert cli.main(["dft", "restore", str(tmp_path), str(tmp_path / "dft")]) == 0
    journals = [tmp_path / "dft/journal" / name / "restored.jsonl" for name in ("t", "u")]
    assert capsys.readouterr().out.split() == [str(journal) for journal in journals]
    for journal in journals:
        assert [json.loads(line) for line in journal.read_text().splitlines()] == records


def test_calculations_of_unknown_sets_cannot_be_restored(call, tmp_path, capsys):
    dft_records.write_records(records_of(call), tmp_path / "records.parquet", set="t")
    assert cli.main(["dft", "restore", str(tmp_path), str(tmp_path / "dft")]) == 2
    told = capsys.readouterr().err
    assert "records.parquet" in told
    assert "name the sets of its calculations" in told


def test_of_a_structure_in_two_sets_the_first_counts(call, tmp_path):
    records = records_of(call)
    dft_records.write_records(records, tmp_path / "one.parquet")
    other = [{**r, "structure": r["structure"].replace("KCl", "NaCl"), "seconds": 99.0} for r in records]
    dft_records.write_records(other, tmp_path / "two.parquet")
    results = {name: tmp_path / f"{name}.parquet" for name in DFT_TABLES}
    summaries.summarise_sets([tmp_path / "one.parquet", tmp_path / "two.parquet"], results)
    frame = tables.read(results["calculations"])
    assert set(frame.loc[frame["seconds"] == 99, "structure"]) == {"NaCl rocksalt"}
    assert frame["structure"].nunique() == 4


def test_export_without_results_names_the_table(tmp_path, capsys):
    assert cli.main(["dft", "export", str(tmp_path), str(tmp_path / "out")]) == 2
    assert "records.parquet" in capsys.readouterr().err


# the interpreter


def test_check_says_how_to_get_gpaw(tmp_path, capsys):
    assert cli.main(["dft", "check", "--python", sys.executable]) == 1
    told = capsys.readouterr().err
    for part in (sys.executable, "has no GPAW", "apt-get install gpaw gpaw-data", "conda-forge"):
        assert part in told
    assert cli.main(["dft", "check", "--python", "no-such-python"]) == 1
    assert "no program 'no-such-python'" in capsys.readouterr().err
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study(python="other-python", sets={"t": TERNARIES})))
    assert cli.main(["dft", "check", "--configfile", str(tmp_path / "study.yaml")]) == 1
    assert "other-python" in capsys.readouterr().err


def test_check_prints_versions_and_data_sets(gpaw, capsys):
    assert cli.main(["dft", "check", "--python", gpaw]) == 0
    told = capsys.readouterr().out
    for part in ("gpaw", "ase", "data"):
        assert f"\n{part} " in told


def test_a_bare_name_is_not_that_of_the_virtual_environment(monkeypatch):
    if sys.prefix == sys.base_prefix:
        pytest.skip("needs a virtual environment")
    own = f"{sys.prefix}/bin"
    monkeypatch.setenv("PATH", f"{own}:/usr/bin:/bin")
    assert interpreter.search_path() == "/usr/bin:/bin"


# rules


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["workstation", "slurm"])
def test_the_stage_can_be_planned_and_the_report_does_not_need_it(tmp_path, profile):
    (tmp_path / "mine.csv").write_text("formula\nCsPbI3\n")
    after = {"after": ["ternaries"]}
    sets = {
        "ternaries": TERNARIES,
        "convergence": {"set": "convergence", **after},
        "alloys": {"set": "alloys", **after, "options": {"count": 4}},
        "mine": {"file": "mine.csv"},
    }
    write_study(tmp_path, sets=sets, parts=3)
    plan = ["--dry-run", "--quiet", "rules", "--workflow-profile", f"{ROOT}/workflow/profiles/{profile}"]
    planned = snakemake(tmp_path, *plan, "dft")
    assert planned.returncode == 0, planned.stderr
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", planned.stdout + planned.stderr, re.MULTILINE))
    assert jobs["run_dft"] == "12"
    assert jobs["list_structures"] == jobs["collect_dft"] == "4"
    report = snakemake(tmp_path, *plan)
    assert report.returncode == 0, report.stderr
    assert "write_report" in report.stdout + report.stderr
    assert not re.search(r"^\w*dft", report.stdout + report.stderr, re.MULTILINE)


@pytest.mark.slow
def test_an_interpreter_without_gpaw_stops_the_run_before_any_calculation(tmp_path):
    write_study(tmp_path, python=sys.executable, sets={"t": TERNARIES}, parts=1)
    done = snakemake(tmp_path, "dft")
    assert done.returncode != 0
    assert "has no GPAW" in done.stderr
    assert "nestmat dft check" in done.stderr
    assert not list(tmp_path.rglob("journal"))


@pytest.fixture(scope="module")
def finished(gpaw, tmp_path_factory):
    """A finished run of two structures; of ytterbium there are no PAW data sets."""
    folder = tmp_path_factory.mktemp("dft")
    (folder / "mine.csv").write_text("formula,lattice\nKMgCl3,4.95\nCsYbI3,6.2\nNaCl,\n")
    options = {"cutoff": 200, "kpoints": [1, 1, 1], "probes": [], "strains": [0.0, 0.02]}
    write_study(folder, python=gpaw, parts=1, sets={"mine": {"file": "mine.csv", "options": options}})
    done = snakemake(folder, "dft")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_a_structure_that_fails_is_kept_with_its_message(finished):
    frame = tables.read(finished / "results/small/dft/calculations.parquet").set_index("formula")
    assert (frame.loc["KMgCl3", "status"] == "converged").all()
    assert frame.loc["KMgCl3", "gap"].between(3, 6).all()
    assert frame.loc["KMgCl3", "lattice"].to_numpy() == pytest.approx([4.95, 4.95 * 1.02])
    failed = frame.loc["CsYbI3"]
    assert (failed["status"] == "failed").all()
    assert failed["message"].str.contains("PAW dataset").all()
    assert failed["energy"].isna().all()
    rejects = tables.read(finished / "results/small/dft/mine.rejects.parquet")
    assert list(zip(rejects["row"], rejects["value"], strict=True)) == [(4, "NaCl")]


@pytest.mark.slow
def test_a_part_that_was_lost_comes_back_from_the_journal(finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "copy")
    part = folder / "results/small/dft/parts/mine/0.jsonl"
    journal = folder / "results/small/dft/journal/mine/0.jsonl"
    before, kept = part.read_text(), journal.read_bytes()
    part.unlink()
    done = snakemake(folder, "dft")
    assert done.returncode == 0, done.stderr
    assert part.read_text() == before
    assert journal.read_bytes() == kept
    assert "Nothing to be done" in snakemake(folder, "dft").stderr


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_where_it_was(gpaw, tmp_path):
    rocksalt = structures.structure_record(
        "rocksalt",
        "KCl",
        ("K", "Cl"),
        6.3,
        kpoints=(2, 2, 2),
        cutoff=200,
        probes=(),
        strains=(-0.02, 0.0, 0.02, 0.04),
    )
    structure_sets.write_structures([rocksalt], tmp_path / "wanted.jsonl")
    journal = tmp_path / "journal/0.jsonl"
    command = [gpaw, str(PROGRAM), "--structures", "wanted.jsonl", "--journal", "journal/0.jsonl"]
    command += ["--output", "0.jsonl"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
    while not (journal.exists() and b"\n" in journal.read_bytes()):
        assert process.poll() is None, "ended before it was killed"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = journal.read_bytes()
    kept = kept[: kept.rfind(b"\n") + 1]
    assert not (tmp_path / "0.jsonl").exists()
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    records = dft_records.read_parts([tmp_path / "0.jsonl"])
    assert journal.read_bytes().startswith(kept)
    assert len(records) == len(journal.read_bytes().splitlines()) == 4
    assert len(done.stdout.splitlines()) == len(records) - len(kept.splitlines())
    assert {r["status"] for r in records} == {"converged"}


@pytest.mark.slow
@pytest.mark.parametrize("formula", ["KGeCl3", "KSnCl3", "KMgCl3"])
def test_the_reference_set_comes_out_again(gpaw, tmp_path, formula):
    if not REFERENCE.is_file():
        pytest.skip(f"needs {REFERENCE.relative_to(ROOT)}")
    name = f"{formula} perovskite"
    known = tables.read(REFERENCE, structure=name, status="converged")
    known = known.loc[known["strain"].abs().idxmin()]
    [structure] = [s for s in structures.ternaries() if s["structure"] == name]
    structure_sets.write_structures(
        [{**structure, "probes": [], "strains": [known["scale"] - 1]}], tmp_path / "wanted.jsonl"
    )
    command = [gpaw, str(PROGRAM), "--structures", "wanted.jsonl", "--journal", "journal/0.jsonl"]
    command += ["--output", "0.jsonl"]
    subprocess.run(command, cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True)
    [again] = reference_set.calculations(dft_records.read_parts([tmp_path / "0.jsonl"])).to_dict("records")
    assert again["lattice"] == pytest.approx(known["lattice"], abs=1e-6)
    assert again["energy"] == pytest.approx(known["energy"], abs=1e-3)
    assert again["gap"] == pytest.approx(known["gap"], abs=1e-3)
