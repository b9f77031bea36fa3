from __future__ import annotations

import importlib.util
import sys
import types

import numpy as np
import pytest

from nestmat.dft import records as dft_records
from nestmat.dft import structure_sets, structures
from nestmat.paths import ROOT

PROGRAM = ROOT / "scripts/run_dft.py"


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
