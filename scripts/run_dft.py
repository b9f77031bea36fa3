"""Calculate structures with GPAW: energies, pressures and band gaps over volumes.

In: a table of the structures to calculate, JSON lines, as `nestmat.dft.structures` writes it.
Out: one JSON line a calculation, converged or failed, in the order of the table.

It runs under an interpreter that has GPAW and need not have nestmat: it imports ase, gpaw, numpy and the
standard library only. Every calculation is appended to a journal as soon as it ends, and every journal of the
folder is read first: a killed run loses the calculation it was in, and nothing is calculated twice.

Of each structure, by linear scale of its cell:

1. the ``probes``, if any; the minimum of a Birch-Murnaghan curve of second order through their energies is
   the ``centre``, and probes are added downhill while it lies outside them. Where it still does after four
   more, a record of kind ``search`` says so and the structure ends there. Without probes the centre is 1.
2. with ``relax``, the positions at the centre until no force is above ``settings.force``; later steps keep
   them.
3. the ``strains``: cells of scale centre * (1 + strain).
"""

import argparse
import fcntl
import hashlib
import json
import os
import platform
import sys
import time
import traceback
import warnings
from contextlib import closing
from pathlib import Path

import ase
import gpaw
import numpy as np
from ase import Atoms
from ase.optimize import BFGS
from ase.units import GPa
from gpaw import GPAW, PW, FermiDirac, Mixer

MARGIN = 0.015  # a fitted minimum this far outside the probes is still trusted
MORE_PROBES = 4
STEP = 0.03
SAME_EDGE = 1e-3  # eV: band edges closer than this count as one
FACTS = ("structure", "formula", "prototype")


class RelaxationError(Exception):
    """Forces remain after the allowed steps."""


def key(structure: dict, kind: str, cell: np.ndarray, positions: np.ndarray) -> str:
    """What a calculation depends on, in short: equal keys are the same calculation."""
    content = {
        "symbols": structure["symbols"],
        "cell": np.round(cell, 5).tolist(),
        # + 0.0 turns -0.0 into 0.0
        "positions": (np.round(positions, 5) + 0.0).tolist(),
        "kpoints": structure["kpoints"],
        "settings": structure["settings"],
        "relaxed": kind == "relaxation",
    }
    if kind == "search":  # which calculates nothing: no calculation may take it for its own
        content["search"] = True
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def calculator(structure: dict, cautious: bool) -> GPAW:
    """GPAW with the structure's settings, which changes the density in small steps where it is cautious."""
    settings = structure["settings"]
    mixing = {"mixer": Mixer(0.02, 5, 100), "maxiter": 500} if cautious else {}
    return GPAW(
        mode=PW(settings["cutoff"]),
        xc=settings["functional"],
        kpts={"size": structure["kpoints"], "gamma": True},
        occupations=FermiDirac(settings["smearing"]),
        # The lowest empty band must converge as well; the empty ones above it only help.
        nbands=-settings["empty"],
        convergence={
            "density": settings["density"],
            "eigenstates": settings["eigenstates"],
            "bands": 1 - settings["empty"],
        },
        txt=None,
        **mixing,
    )


def eigenvalues(calc: GPAW) -> tuple:
    """K points (n, 3) and energies of the bands (n, bands)."""
    kpoints = calc.get_ibz_k_points()
    return kpoints, np.array([calc.get_eigenvalues(kpt=k) for k in range(len(kpoints))])


def band_edges(calc: GPAW, points: list) -> dict:
    """Edges, gaps and k points (in units of the reciprocal cell) of a calculation without spin.

    Further ``points`` are looked at in the density of the calculation.
    """
    kpoints, bands = eigenvalues(calc)
    if points:
        further = eigenvalues(calc.fixed_density(kpts=points, symmetry="off", txt=None))
        kpoints, bands = np.concatenate([kpoints, further[0]]), np.concatenate([bands, further[1]])
    filled = round(calc.get_number_of_electrons()) // 2
    below, above = bands[:, filled - 1], bands[:, filled]
    top, bottom = int(below.argmax()), int(above.argmin())
    gap, direct_gap = max(0.0, float(above.min() - below.max())), max(0.0, float((above - below).min()))
    return {
        "gap": gap,
        "direct_gap": direct_gap,
        "direct": bool(direct_gap - gap < SAME_EDGE),
        "valence_edge": float(below.max()),
        "conduction_edge": float(above.min()),
        "k_valence": [float(x) for x in np.round(kpoints[top], 6)],
        "k_conduction": [float(x) for x in np.round(kpoints[bottom], 6)],
    }


def solve(structure: dict, kind: str, cell: np.ndarray, positions: np.ndarray) -> dict:
    """One calculation, tried a second time where that may help.

    A density that does not converge starts again with cautious mixing; a relaxation that leaves forces goes
    on from its last positions.
    """
    messages, cautious, steps = [], False, 0
    for attempt in (1, 2):
        atoms = Atoms(structure["symbols"], scaled_positions=positions, cell=cell, pbc=True)
        try:
            atoms.calc = calculator(structure, cautious)
            if kind == "relaxation":
                optimiser = BFGS(atoms, logfile=None)
                relaxed = optimiser.run(
                    fmax=structure["settings"]["force"], steps=structure["settings"]["steps"]
                )
                steps += optimiser.nsteps
                if not relaxed:
                    positions = atoms.get_scaled_positions()
                    raise RelaxationError(f"forces remain after {steps} steps")
            energy = atoms.get_potential_energy()
            stress = atoms.get_stress(voigt=False)
            forces = atoms.get_forces()
            return {
                "status": "converged",
                "message": "; ".join(messages),
                "attempt": attempt,
                "steps": steps,
                "energy": float(energy),
                "pressure": float(-np.trace(stress) / 3 / GPa),
                "force": float(np.linalg.norm(forces, axis=1).max()),
                "positions": np.round(atoms.get_scaled_positions(), 10).tolist(),
                **band_edges(atoms.calc, structure["settings"].get("edges", [])),
            }
        # GPAW and its libraries raise errors of any kind, AssertionError and KeyError among them. Each is the
        # end of this calculation only: if it ended the program, it would do so again at every restart.
        except Exception as error:
            messages.append(f"attempt {attempt}: {type(error).__name__}: {error}".strip())
            traceback.print_exc()
            cautious = isinstance(error, gpaw.KohnShamConvergenceError)
            if not cautious and not isinstance(error, RelaxationError):
                break
    return {"status": "failed", "message": "; ".join(messages), "attempt": attempt}


def record_of(
    structure: dict, kind: str, scale: float, positions: np.ndarray, result: dict, seconds: float
) -> dict:
    """What is kept of a calculation: what was asked for, the result, and what it was made with."""
    cell = np.array(structure["cell"]) * scale
    return {
        "key": key(structure, kind, cell, positions),
        **{fact: structure[fact] for fact in FACTS},
        "kind": kind,
        "scale": round(scale, 8),
        "cell": np.round(cell, 8).tolist(),
        "symbols": structure["symbols"],
        "kpoints": structure["kpoints"],
        "settings": structure["settings"],
        **result,
        "seconds": round(seconds, 1),
        "versions": {
            "gpaw": gpaw.__version__,
            "ase": ase.__version__,
            "python": platform.python_version(),
        },
    }


class Journal:
    """The calculations done so far, and the file that new ones are appended to.

    The file is locked as long as the journal is open: an earlier process may have outlived the run that
    started it, and two that append would cut off each other's lines. A second one ends with a message.
    """

    def __init__(self, file: Path):
        self.stream = file.open("a+b", buffering=0)
        try:
            fcntl.flock(self.stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            sys.exit(
                f"{file} is being written by another process, perhaps one left over from a run that was "
                "killed. Wait for it, or end it: `fuser` with this file tells its number."
            )
        except OSError as error:  # a file system without locks
            warnings.warn(f"{file} cannot be locked: {error}", stacklevel=2)
        self.done = {}
        for journal in sorted(file.parent.glob("*.jsonl")):
            self.read(journal)
        self.stream.truncate(file.read_bytes().rfind(b"\n") + 1)

    def close(self) -> None:
        """Give the file free."""
        self.stream.close()

    def read(self, journal: Path) -> None:
        """Take over the calculations of a file; of one calculated twice a converged result counts."""
        # A line that a kill cut short has no end, and is left out.
        for number, line in enumerate(journal.read_bytes().split(b"\n")[:-1], start=1):
            try:
                record = json.loads(line)
                name, status = record["key"], record["status"]
            except (ValueError, KeyError, TypeError) as error:
                warnings.warn(
                    f"{journal}, line {number} is no calculation and is left out: {error!r}", stacklevel=3
                )
                continue
            if status == "converged" or self.done.get(name, record)["status"] != "converged":
                self.done[name] = record

    def calculate(self, structure: dict, kind: str, scale: float, positions: np.ndarray) -> dict:
        """The recorded calculation, or a new one, recorded."""
        cell = np.array(structure["cell"]) * scale
        name = key(structure, kind, cell, positions)
        if name not in self.done:
            start = time.perf_counter()
            result = solve(structure, kind, cell, positions)
            record = record_of(structure, kind, scale, positions, result, time.perf_counter() - start)
            line = json.dumps(record).encode() + b"\n"
            while line:  # one write may leave out the end
                line = line[self.stream.write(line) :]
            os.fsync(self.stream.fileno())
            self.done[name] = record
            shown = (
                f"{record['energy']:.4f} eV, gap {record['gap']:.3f} eV"
                if "gap" in record
                else record["message"]
            )
            print(f"{structure['structure']} {kind} {scale:.4f}: {shown}, {record['seconds']} s", flush=True)
        return self.done[name]


def minimum(scales: list, energies: list) -> float:
    """Scale of the lowest energy: a Birch-Murnaghan curve of second order through the lowest points."""
    order = np.argsort(energies)[:4]
    smallest, largest = min(scales) - 2 * STEP, max(scales) + 2 * STEP
    x = np.array(scales)[order] ** -2.0
    curvature, slope, _ = np.polyfit(x, np.array(energies)[order], 2)
    if curvature <= 0:
        lowest = scales[order[0]]
        # A lowest point at the end is no minimum: the energy falls further beyond it.
        return float({min(scales): smallest, max(scales): largest}.get(lowest, lowest))
    vertex = -slope / (2 * curvature)
    # A vertex far away is an extrapolation: one step downhill is enough.
    return float(np.clip(vertex, largest**-2.0, smallest**-2.0) ** -0.5)


def study(structure: dict, journal: Journal) -> list:
    """Every calculation of one structure."""
    positions = np.array(structure["positions"], dtype=float)
    records, centre = [], 1.0
    if structure["probes"]:
        scales = list(structure["probes"])
        records = [journal.calculate(structure, "probe", scale, positions) for scale in scales]
        while True:
            good = [r for r in records if r["status"] == "converged"]
            if len(good) < 3:
                return records
            centre = minimum([r["scale"] for r in good], [r["energy"] for r in good])
            low, high = min(scales) - MARGIN, max(scales) + MARGIN
            if low <= centre <= high:
                break
            if len(scales) == len(structure["probes"]) + MORE_PROBES:
                message = f"no minimum of the energy at scales of {min(scales):g} to {max(scales):g}"
                result = {"status": "failed", "message": message}
                return [*records, record_of(structure, "search", centre, positions, result, 0.0)]
            scales.append(min(scales) - STEP if centre < low else max(scales) + STEP)
            records.append(journal.calculate(structure, "probe", round(scales[-1], 8), positions))
    centre = round(centre, 4)
    if structure["relax"]:
        relaxed = journal.calculate(structure, "relaxation", centre, positions)
        if relaxed["status"] != "converged":
            return [*records, relaxed]
        positions = np.array(relaxed["positions"])
        before, records = records, [relaxed]  # the atoms have moved: no probe stands for a strain
    else:
        before = []
    for strain in structure["strains"]:
        scale = round(centre * (1 + strain), 8)
        if all(abs(r["scale"] / scale - 1) > structure["spacing"] for r in records):
            records.append(journal.calculate(structure, "strain", scale, positions))
    return before + records


def main() -> None:
    """Calculate one part of the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--structures", type=Path, required=True, help="structures to calculate, JSON lines")
    parser.add_argument(
        "--journal", type=Path, required=True, help="file in the folder of journals to append to"
    )
    parser.add_argument(
        "--output", type=Path, required=True, help="calculations of this part, written at the end"
    )
    parser.add_argument("--part", type=int, default=0, help="which part of the table, from 0")
    parser.add_argument("--parts", type=int, default=1, help="number of parts")
    options = parser.parse_args()

    structures = [json.loads(line) for line in options.structures.read_text(encoding="utf-8").splitlines()]
    options.journal.parent.mkdir(parents=True, exist_ok=True)
    records = []
    with closing(Journal(options.journal)) as journal:
        for structure in structures[options.part :: options.parts]:
            # A calculation may serve a structure under another name: the record takes the name asked for.
            own = {fact: structure[fact] for fact in FACTS}
            records += [{**record, **own} for record in study(structure, journal)]
    aside = options.output.with_name(options.output.name + ".part")
    aside.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    aside.replace(options.output)


if __name__ == "__main__":
    main()
