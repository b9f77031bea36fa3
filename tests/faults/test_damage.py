"""Files of a finished study that are damaged are named, and made again with the same bits."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from nestmat import seals
from nestmat.commands.check import damaged_files
from nestmat.config.loading import load_study
from support.fault_study import STUDY, TARGETS
from support.kills import differences, digests
from support.running import run_python, snakemake

KINDS = {
    "table of a data set": "data/absorbers.parquet",
    "rejects": "data/absorbers.rejects.parquet",
    "features": "features/cell.parquet",
    "folds": "folds/cell.parquet",
    "weights": "models/cell/strict/nested.safetensors",
    "card": "models/cell/strict/nested.json",
    "learning curve": "models/cell/strict/nested.history.parquet",
    "fitted baselines": "models/cell/strict/baselines.zip",
    "latents": "latents/cell/strict/nested.parquet",
    "predictions": "predictions/cell/strict/nested.parquet",
    "weights of a stack": "predictions/cell/strict/recommended.json",
    "domain": "domains/cell/strict.parquet",
    "metrics": "metrics/cell.parquet",
    "candidates": "search/absorbers/genetic.parquet",
    "distilled network": "search/absorbers/deployed.predictor.safetensors",
    "shortlist": "search/absorbers/shortlist.parquet",
    "shortlist as CSV": "search/absorbers/candidates.csv",
    "shortlist as JSON lines": "search/absorbers/candidates.jsonl",
    "screened": "search/absorbers/screened.parquet",
    "figure": "figures/cell/parity.svg",
    "record of the run": "run_config.yaml",
    "report": "report.html",
}
FLIPS = 100 if os.environ.get("NESTMAT_ALL_FAULTS") else 3
"""Flipped bytes, and cuts, of each kind of file."""


def damage(content: bytes, place: int, cut: bool) -> bytes:
    return content[:place] if cut else content[:place] + bytes([content[place] ^ 0x20]) + content[place + 1 :]


@pytest.mark.slow
def test_damage_at_any_place_is_named(undisturbed, tmp_path):
    results = tmp_path / STUDY
    shutil.copytree(undisturbed / "results" / STUDY, results)
    study, rng = load_study(undisturbed / "study.yaml"), np.random.default_rng(0)
    for kind, name in KINDS.items():
        path = results / name
        content = path.read_bytes()
        noticed = {}
        for cut in (False, True):
            places = rng.choice(len(content), FLIPS, replace=False).tolist()
            noticed[cut] = 0
            for place in places:
                path.write_bytes(damage(content, place, cut))
                if path.suffix in (".csv", ".jsonl"):
                    noticed[cut] += path in damaged_files(study, results)
                else:
                    noticed[cut] += seals.fault(path) is not None
        path.write_bytes(content)
        print(f"{kind:24} {name:48} {noticed[False]}/{FLIPS} flips and {noticed[True]}/{FLIPS} cuts named")
        assert set(noticed.values()) == {FLIPS}, name
    assert damaged_files(study, results) == {}


@pytest.mark.slow
def test_damaged_files_are_made_again_with_the_same_bits(undisturbed, monkeypatch):
    monkeypatch.chdir(undisturbed)
    results = Path("results", STUDY)
    before = digests(results.absolute())
    chosen = ["search/absorbers/candidates.csv", "run_config.yaml", "figures/cell/parity.svg", "report.html"]
    chosen += ["models/cell/strict/nested.safetensors", "features/former.parquet"]
    (results / chosen[-1]).write_bytes(b"PAR1 of no rule")
    for name in chosen:
        content = (results / name).read_bytes()
        (results / name).write_bytes(damage(content, len(content) // 2, cut=False))
    done = run_python(Path(), "-m", "nestmat.cli", "check", "study.yaml")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == len(chosen)
    assert all(any(name in line for line in lines) for name in chosen)
    assert "Remedy: run `nestmat report`" in done.stdout
    done = run_python(Path(), "-m", "nestmat.cli", "report", "study.yaml", "--cores", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert damaged_files(load_study("study.yaml"), results) == {}
    assert not differences(before, digests(results.absolute()))


@pytest.mark.slow
def test_what_is_made_on_demand_is_deleted_and_made_on_demand(undisturbed, monkeypatch):
    monkeypatch.chdir(undisturbed)
    results = Path("results", STUDY)
    before = digests(results.absolute())
    content = (results / "search/absorbers/screened.parquet").read_bytes()
    (results / "search/absorbers/screened.parquet").write_bytes(damage(content, 99, cut=False))
    done = run_python(Path(), "-m", "nestmat.cli", "check", "study.yaml", "--delete")
    assert done.returncode == 0
    assert "1 damaged and deleted" in done.stdout
    snakemake(Path(), *TARGETS)
    assert not differences(before, digests(results.absolute()))
