"""DFT calculations: configuration, structures, journal, tables, rules; and GPAW itself where it is there."""

from __future__ import annotations

import contextlib
import json
import types

import numpy as np
import pytest

from nestmat.dft import records as dft_records
from nestmat.dft import reference_set, structures
from nestmat.paths import ROOT

PROGRAM = ROOT / "scripts/run_dft.py"


REFERENCE = ROOT / "resources/reference/calculations.parquet"


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
    structure = structures.structure_record(
        "perovskite", "CsPbI3", ("Cs", "Pb", "I"), 6.4, structures.CellScan(relax=True)
    )
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
    structure = structures.structure_record(
        "perovskite", "CsPbI3", ("Cs", "Pb", "I"), 6.4, structures.CellScan(relax=True)
    )
    records, _ = studied(structure, parabola(0.97), failed=("relaxation",))
    assert [(r["kind"], r["status"]) for r in records[2:]] == [
        ("probe", "converged"),
        ("relaxation", "failed"),
    ]


@pytest.mark.parametrize(("best", "added"), [(0.9, [0.905]), (1.08, [1.025, 1.055, 1.085])])
def test_probes_are_added_downhill(studied, best, added):
    structure = structures.structure_record(
        "rocksalt", "KCl", ("K", "Cl"), 6.0, structures.CellScan(strains=(0.03,))
    )
    records, _ = studied(structure, parabola(best))
    assert [r["scale"] for r in records if r["kind"] == "probe"] == [*structures.PROBES, *added]
    assert records[-1]["scale"] == pytest.approx(best * 1.03)


@pytest.mark.parametrize("relax", [True, False])
def test_a_search_that_finds_no_minimum_ends_with_the_reason(studied, relax):
    structure = structures.structure_record(
        "perovskite", "CsPbI3", ("Cs", "Pb", "I"), 6.4, structures.CellScan(relax=relax)
    )
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
