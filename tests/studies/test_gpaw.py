"""DFT calculations: configuration, structures, journal, tables, rules; and GPAW itself where it is there."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from nestmat import tables
from nestmat.dft import records as dft_records
from nestmat.dft import reference_set, structure_sets, structures
from nestmat.paths import ROOT
from support.dft_studies import TERNARIES, study
from support.running import run_snakemake, snakemake, write_study

PROGRAM = ROOT / "scripts/run_dft.py"


REFERENCE = ROOT / "resources/reference/calculations.parquet"


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["workstation", "slurm"])
def test_the_stage_can_be_planned_and_the_report_does_not_need_it(tmp_path, profile):
    (tmp_path / "mine.csv").write_text("formula\nCsPbI3\n")
    after = {"after": ["ternaries"]}
    sets = {
        "ternaries": TERNARIES,
        "convergence": {"set": {"kind": "convergence"}, **after},
        "alloys": {"set": {"kind": "alloys", "count": 4}, **after},
        "mine": {"file": "mine.csv"},
    }
    write_study(tmp_path, study(sets=sets, parts=3))
    plan = ["--dry-run", "--quiet", "rules", "--workflow-profile", f"{ROOT}/workflow/profiles/{profile}"]
    planned = snakemake(tmp_path, *plan, "dft")
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", planned, re.MULTILINE))
    assert jobs["run_dft"] == "12"
    assert jobs["list_structures"] == jobs["collect_dft"] == "4"
    report = snakemake(tmp_path, *plan)
    assert "write_report" in report
    assert not re.search(r"^\w*dft", report, re.MULTILINE)


@pytest.mark.slow
def test_an_interpreter_without_gpaw_stops_the_run_before_any_calculation(tmp_path):
    write_study(tmp_path, study(python=sys.executable, sets={"t": TERNARIES}, parts=1))
    done = run_snakemake(tmp_path, "dft")
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
    write_study(folder, study(python=gpaw, parts=1, sets={"mine": {"file": "mine.csv", "settings": options}}))
    snakemake(folder, "dft")
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
    snakemake(folder, str(part.relative_to(folder)))
    assert part.read_text() == before
    assert journal.read_bytes() == kept
    assert "Nothing to be done" in snakemake(folder, "dft")


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_where_it_was(gpaw, tmp_path):
    rocksalt = structures.structure_record(
        "rocksalt",
        "KCl",
        ("K", "Cl"),
        6.3,
        structures.CellScan(probes=(), strains=(-0.02, 0.0, 0.02, 0.04)),
        kpoints=(2, 2, 2),
        cutoff=200,
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
