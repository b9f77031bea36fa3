"""DFT calculations around `scripts/run_dft.py`: structures wanted, records, tables, the interpreter.

The calculations run under an interpreter of their own, which has GPAW and need not have nestmat. What goes in
and out of it are lines of JSON: `nestmat.dft.structures` describes a structure, `RECORDS` a calculation.
"""

from __future__ import annotations

import csv
import inspect
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.config.datasets import ColumnSpec, DatasetSpec
from nestmat.config.dft import DFT_TABLES, StructureSet
from nestmat.data.reading import read
from nestmat.data.registry import closest
from nestmat.dft import layers, reference_set
from nestmat.dft.structures import SETTINGS, radius_rule, wanted
from nestmat.errors import InputError
from nestmat.files import write_text
from nestmat.materials.formulas import parse
from nestmat.materials.ions import ion

_LOG = logging.getLogger(__name__)
HOW = (
    "get GPAW with `apt-get install gpaw gpaw-data` (Debian, Ubuntu) or `conda create -n gpaw -c conda-forge "
    "gpaw`, name its interpreter by an absolute path as dft.python, and try `nestmat dft check`."
)
# Run by the other interpreter. Lead stands for the data sets of all elements.
_PROBE = """
import glob, json, os, platform, sys
import ase, gpaw, numpy
data = [path for path in gpaw.setup_paths if glob.glob(os.path.join(path, "Pb.PBE*"))]
print(json.dumps({"python": platform.python_version(), "gpaw": gpaw.__version__, "ase": ase.__version__,
                  "numpy": numpy.__version__, "data": data[0] if data else None}))
"""
# Cubic halide perovskites have lattice constants of 3.7 to 6.8 angstrom.
_LATTICES = (3.0, 10.0)
# Scales about a lattice constant that is known; the radius rule, in contrast, lies above the minimum.
_PROBES = (0.97, 1.0, 1.03)
# Ions with unpaired electrons: the calculations have no spin.
_OPEN_SHELL = frozenset(("Mn", "Eu"))

RECORDS: tables.Schema = {
    "key": tables.Column("string", role="key", description="what the calculation depends on, in short"),
    "structure": tables.Column("string", role="key", description="name of the structure"),
    "formula": tables.Column("string", description="formula unit"),
    "prototype": tables.Column("string"),
    "kind": tables.Column("string", description="probe, relaxation, strain, or search: none was found"),
    "scale": tables.Column("float64", description="linear scale of the cell that was listed"),
    "status": tables.Column("string", description="converged or failed"),
    "message": tables.Column("string", description="why it failed, or what a second attempt mended"),
    "attempt": tables.Column("int32", description="1, or 2 where the first did not converge"),
    "steps": tables.Column("int32", description="steps of the relaxation"),
    "energy": tables.Column("float64", unit="eV", description="total energy per cell"),
    "pressure": tables.Column("float64", unit="GPa"),
    "force": tables.Column("float64", unit="eV/Å", description="largest force on an atom"),
    "gap": tables.Column("float64", unit="eV", description="band gap; 0 for a metal"),
    "direct_gap": tables.Column("float64", unit="eV", description="smallest gap at one k point"),
    "direct": tables.Column("bool", description="whether the gap is at one k point"),
    "valence_edge": tables.Column("float64", unit="eV"),
    "conduction_edge": tables.Column("float64", unit="eV"),
    "seconds": tables.Column("float64", unit="s", description="wall time"),
    "cell": tables.Column("string", unit="Å", description="cell vectors, one a row, as JSON"),
    "symbols": tables.Column("string", description="element of each atom, as JSON"),
    "positions": tables.Column("string", description="in units of the cell vectors, as JSON"),
    "kpoints": tables.Column("string", description="mesh, as JSON"),
    "k_valence": tables.Column("string", description="in units of the reciprocal cell, as JSON"),
    "k_conduction": tables.Column("string", description="in units of the reciprocal cell, as JSON"),
    "settings": tables.Column("string", description="as JSON"),
    "versions": tables.Column("string", description="as JSON"),
}
_JSON = ("cell", "symbols", "positions", "kpoints", "k_valence", "k_conduction", "settings", "versions")
_UNIT = "per formula unit"
CALCULATIONS: tables.Schema = {
    **{name: RECORDS[name] for name in ("structure", "formula", "prototype", "kind", "scale")},
    "strain": tables.Column("float64", description="linear, about the minimum of the equation of state"),
    "lattice": tables.Column("float64", unit="Å", description="cubic lattice constant of this volume"),
    "volume": tables.Column("float64", unit="Å³", description=_UNIT),
    "energy": tables.Column("float64", unit="eV", description=f"total energy {_UNIT}"),
    **{
        name: RECORDS[name]
        for name in ("pressure", "gap", "direct_gap", "direct", "valence_edge", "conduction_edge")
    },
    "k_valence": tables.Column("string", description="in units of the reciprocal cell"),
    "k_conduction": tables.Column("string", description="in units of the reciprocal cell"),
    "force": RECORDS["force"],
    "status": RECORDS["status"],
    "message": RECORDS["message"],
    "functional": tables.Column("string"),
    "cutoff": tables.Column("float64", unit="eV", description="plane-wave cutoff"),
    "kpoints": tables.Column("string", description="Gamma-centred mesh"),
    "seconds": RECORDS["seconds"],
}
COMPOUNDS: tables.Schema = {
    "formula": tables.Column("string", role="key"),
    "prototype": tables.Column("string"),
    "lattice": tables.Column("float64", unit="Å", description="of the minimum of the equation of state"),
    "bulk_modulus": tables.Column("float64", unit="GPa"),
    "energy": tables.Column("float64", unit="eV", description=f"of the minimum, {_UNIT}"),
    "gap": tables.Column("float64", unit="eV", description="PBE band gap at the minimum; 0 for a metal"),
    "direct_gap": tables.Column("float64", unit="eV", description="smallest gap at one k point"),
    "direct": tables.Column("bool", description="whether both gaps are the same; false for a metal"),
    "formation_energy": tables.Column("float64", unit="eV", description=f"towards the products, {_UNIT}"),
    "products": tables.Column("string", description="binary halides of lowest energy"),
    "residual": tables.Column(
        "float64", unit="eV", description="of the equation of state, root mean square; NaN for three volumes"
    ),
    "volumes": tables.Column("int64", description="calculations in the equation of state"),
}
ELECTRONIC: tables.Schema = {
    "formula": tables.Column("string", role="key"),
    "prototype": COMPOUNDS["prototype"],
    "strain": CALCULATIONS["strain"],
    "gap": tables.Column("float64", unit="eV", description="PBE band gap at the strain; 0 for a metal"),
    "lattice": tables.Column("float64", unit="Å", description="lattice constant without strain"),
    "formation_energy": COMPOUNDS["formation_energy"],
}


# the interpreter


def search_path() -> str:
    """PATH without the programs of the virtual environment that nestmat runs in, which has no GPAW."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    own = str(Path(sys.prefix) / "bin")
    return os.pathsep.join(f for f in folders if sys.prefix == sys.base_prefix or f != own)


def check(python: str) -> dict[str, str]:
    """Whether an interpreter has GPAW.

    Args:
        python: Path of the interpreter, or its name on `search_path`.

    Returns:
        ``interpreter``, the versions of ``python``, ``gpaw``, ``ase`` and ``numpy``, and ``data``, the folder
        of the PAW data sets.

    Raises:
        InputError: There is no such interpreter, or it lacks GPAW or the data sets.
    """
    path = search_path()
    program = shutil.which(python, path=path)
    if program is None:
        raise InputError("is not a program.", column="dft.python", value=python, remedy=HOW)
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [program, "-c", _PROBE], capture_output=True, text=True, env=environment, timeout=300
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(
            f"cannot be run: {error}.", column="dft.python", value=program, remedy=HOW
        ) from error
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise InputError(f"has no GPAW: {reason}.", column="dft.python", value=program, remedy=HOW)
    # GPAW may say more on the way; the last line is ours.
    found = json.loads(done.stdout.splitlines()[-1])
    if found["data"] is None:
        raise InputError(
            "has GPAW without PAW data sets.",
            column="dft.python",
            value=program,
            remedy="get them with `apt-get install gpaw-data` or `gpaw install-data <folder>`, or name their "
            "folder by GPAW_SETUP_PATH.",
        )
    return {"interpreter": program, **found}


# structures wanted


def list_structures(
    spec: StructureSet,
    name: str,
    records: Iterable[Mapping[str, Any]] = (),
    table: str | Path | None = None,
) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """The structures of a set, and the rows of a user's table that are none.

    Args:
        spec: Configuration of the set.
        name: Its name.
        records: Calculations of the sets that it comes after.
        table: Table of its compounds or cells, where it has one; by default the file of the set.

    Returns:
        Structures as `nestmat.dft.structures` describes them; rejects with the columns of
        `nestmat.tables.REJECTS`.

    Raises:
        InputError: An option is unknown, the calculations lack what the set needs, or the table has no
            usable row.
    """
    table = table or spec.file
    if spec.layer is not None:
        assert table is not None
        _check_options(name, spec.options, ["kpoints", "cutoff", "edges", *SETTINGS])
        found, _, rejects = layers.list_layers(spec, name, table)
        return found, rejects
    if table is not None:
        return read_structures(table, name, **spec.options)
    assert spec.set is not None
    make = reference_set.SETS[spec.set]
    _check_options(name, spec.options, list(inspect.signature(make).parameters)[1:])
    known = list(records)
    try:
        found = list(make(reference_set.calculations(known) if known else None, **spec.options))
    except ValueError as error:
        raise InputError(
            f"cannot be made: {error}.",
            column=f"dft.sets.{name}",
            remedy="look at the failed calculations of the sets named in `after`.",
        ) from error
    return found, pd.DataFrame(columns=list(tables.REJECTS))


def _check_options(name: str, options: Mapping[str, Any], known: Sequence[str]) -> None:
    for option in options:
        if option not in known:
            raise InputError(
                f"is not an option of this set{closest(option, known)}.",
                column=f"dft.sets.{name}.options",
                value=option,
                remedy=f"it takes {', '.join(known)}." if known else "it takes none.",
            )


def read_structures(path: str | Path, name: str, **options: Any) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Structures of a user's table.

    Args:
        path: CSV file with the column ``formula`` and, if wanted, ``lattice`` in angstrom or empty.
        name: Name of the set, for messages.
        options: Changes to the arguments of `nestmat.dft.structures.wanted`.

    Returns:
        Structures, and rejects with the columns of `nestmat.tables.REJECTS`.

    Raises:
        InputError: An option is unknown, or the file cannot be read or has no usable row.
    """
    _check_options(name, options, ["kpoints", "probes", "strains", "cutoff", "edges", *SETTINGS])
    path = Path(path)
    columns = {}
    if "lattice" in _header(path):
        columns["lattice"] = ColumnSpec(unit="Å", missing="keep")
    spec = DatasetSpec(title=name, file=str(path), formula="formula", columns=columns, duplicates="keep")
    reading = read(spec, path, name=name)
    lattices = reading.frame["lattice"] if columns else np.full(len(reading.frame), np.nan)
    structures: dict[str, dict[str, Any]] = {}
    lines: dict[str, int] = {}
    rejected = []
    for line, text, lattice in zip(reading.frame["row"], reading.frame["formula"], lattices, strict=True):
        try:
            made = _structure(text, float(lattice), **options)
            if (first := lines.setdefault(made["structure"], line)) != line:
                raise InputError(f"is the material of row {first} again.", column="formula", value=text)
            structures[made["structure"]] = made
        except InputError as error:
            reason = error.rejection
            rejected.append((line, error.column, str(error.value), reason))
    own = pd.DataFrame(rejected, columns=list(tables.REJECTS)).astype({"row": "int64"})
    # pandas would warn of an empty part.
    parts = [part for part in (reading.rejects, own) if len(part)]
    rejects = pd.concat(parts).sort_values("row", ignore_index=True) if parts else own
    if not structures:
        raise InputError(
            f"has no structure to calculate: all {len(rejects)} rows are rejected, the first because it "
            f"{rejects['reason'].iloc[0]}",
            file=path,
            row=int(rejects["row"].iloc[0]),
            column=rejects["column"].iloc[0],
            value=rejects["value"].iloc[0],
        )
    return list(structures.values()), rejects


def _header(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            cells = next((row for row in csv.reader(file) if any(cell.strip() for cell in row)), [])
    except (OSError, csv.Error) as error:
        raise InputError(
            f"cannot be read: {error}.", file=path, remedy="give the path of a CSV file."
        ) from error
    return [cell.strip() for cell in cells]


def _structure(text: str, lattice: float, **options: Any) -> dict[str, Any]:
    prototype, formula, species, start = _prototype(text)
    if not np.isnan(lattice):
        low, high = _LATTICES
        if not low <= lattice <= high:
            raise InputError(
                f"is not the lattice constant of a cubic perovskite, {low:g} to {high:g} Å.",
                column="lattice",
                value=lattice,
            )
        start, options = lattice, {"probes": _PROBES, **options}
    return wanted(
        prototype,
        formula,
        species,
        start,
        relax=prototype == "ordered_perovskite",
        **options,
    )


def _prototype(text: str) -> tuple[str, str, tuple[Any, ...], float]:
    """Prototype, formula unit, species and the lattice constant of `radius_rule` for a formula."""

    def fault(message: str, remedy: str = "") -> InputError:
        return InputError(message, column="formula", value=text, remedy=remedy or None)

    parsed = parse(text)
    sites = parsed.sites()
    ions = {symbol: ion(symbol) for symbol in parsed.species}
    if molecules := [symbol for symbol, found in ions.items() if found.molecular]:
        raise fault(f"holds the molecule {molecules[0]}, which has no place in a cubic cell of five atoms.")
    if magnetic := sorted(_OPEN_SHELL & set(ions)):
        raise fault(f"holds {magnetic[0]}, whose unpaired electrons a calculation without spin leaves out.")
    number = {"A": 1, "B": 1, "X": 3}
    charge = sum(number[site] * f * ions[s].charge for site, part in sites.items() for s, f in part.items())
    if abs(charge) > 1e-6:
        raise fault(f"is not neutral: the charges of its ions sum to {charge:+g}.")
    split = [site for site, part in sites.items() if len(part) > 1]
    halves = all(len(sites[site]) == 2 and np.allclose(list(sites[site].values()), 0.5) for site in split)
    if not halves:
        raise fault(
            "has other shares on a site than one species, or two in equal parts.",
            "write alloys like CsSn0.5Pb0.5I3 or Rb0.5Cs0.5PbBr1.5I1.5; other ratios do not fit ten atoms.",
        )
    # Species in the order of the text.
    a, b, x = ([symbol for symbol in parsed.species if symbol in sites[site]] for site in number)
    radius = {
        site: sum(f * (ions[s].radius or np.nan) for s, f in part.items()) for site, part in sites.items()
    }
    start = radius_rule(radius["A"], radius["B"], radius["X"])
    formula = f"{_amounts(a, 1)}{_amounts(b, 1)}{_amounts(x, 3)}"
    if not split:
        return "perovskite", formula, (a[0], b[0], x[0]), start
    # One A species is named once, as in the calculations of the reference set.
    on_a = (a[0], a[1]) if "A" in split else a[0]
    return "ordered_perovskite", formula, (on_a, (b[0], b[-1]), (x[0], x[-1])), start


def _amounts(species: Sequence[str], total: int) -> str:
    amount = total / len(species)
    return "".join(symbol if amount == 1 else f"{symbol}{amount:g}" for symbol in species)


def write_structures(structures: Iterable[Mapping[str, Any]], path: str | Path) -> None:
    """Write structures as lines of JSON."""
    write_text(path, "".join(json.dumps(structure) + "\n" for structure in structures))


# calculations


def read_parts(paths: Iterable[str | Path]) -> list[dict[str, Any]]:
    """The records of finished parts, in their order.

    Raises:
        InputError: A line is not JSON.
    """
    records = []
    for path in paths:
        for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), start=1):
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise InputError(
                    f"is not JSON: {error}.",
                    file=path,
                    row=number,
                    remedy="delete the file and run again; calculations are kept in the journal.",
                ) from error
    return records


def write_records(records: Iterable[Mapping[str, Any]], path: str | Path, **facts: Any) -> None:
    """Write calculations as a table of the columns `RECORDS`; what a failed one lacks is null."""
    rows = [
        {name: json.dumps(r[name]) if name in _JSON else r[name] for name in RECORDS if name in r}
        for r in records
    ]
    frame = pd.DataFrame(rows, columns=list(RECORDS))
    _LOG.info("%d calculations, %d failed", len(frame), (frame["status"] == "failed").sum())
    tables.write(path, frame, RECORDS, facts)


def read_records(paths: Iterable[str | Path]) -> list[dict[str, Any]]:
    """The calculations that `write_records` wrote."""
    records = []
    for path in paths:
        for row in tables.read(path).to_dict("records"):
            present = {str(name): value for name, value in row.items() if not pd.isna(value)}
            records.append({n: json.loads(v) if n in _JSON else v for n, v in present.items()})
    return records


def summarise(paths: Sequence[str | Path], outputs: Mapping[str, str | Path], **facts: Any) -> None:
    """Write the tables of all sets.

    Args:
        paths: Tables of the sets, as `write_records` wrote them. Of a structure that several sets list, the
            calculations of the first count, for the others may have other settings.
        outputs: File to write for each of `nestmat.config.dft.DFT_TABLES`.
        facts: Origin, kept in every file beside versions and settings.
    """
    records: list[dict[str, Any]] = []
    seen: set[str] = set()
    for path in paths:
        calculated = read_records([path])
        names = {record["structure"] for record in calculated}
        if again := sorted(names & seen):
            _LOG.warning("%s: left out what an earlier set has calculated: %s", path, ", ".join(again))
        records += [record for record in calculated if record["structure"] not in seen]
        seen |= names
    frame = reference_set.calculations(records)
    write_records(records, outputs["records"], **facts)
    provenance = {
        "versions": _values(record["versions"] for record in records),
        "settings": _values(record["settings"] for record in records),
        "calculations": len(records),
        "failed": int((frame["status"] == "failed").sum()),
        **facts,
    }
    compounds = reference_set.compounds(frame)
    found = {
        "calculations": (frame, CALCULATIONS),
        "compounds": (compounds, COMPOUNDS),
        "electronic": (reference_set.electronic(frame, compounds), ELECTRONIC),
    }
    _LOG.info("%d calculations, %d perovskites", len(frame), len(compounds))
    for name, (rows, schema) in found.items():
        tables.write(
            outputs[name], rows if len(rows) else pd.DataFrame(columns=list(schema)), schema, provenance
        )


def summarise_candidates(
    path: str | Path, known: Sequence[str | Path], outputs: Mapping[str, str | Path], **facts: Any
) -> None:
    """Write the compounds of one set and their strains, apart from all others.

    Args:
        path: Table of the set, as `write_records` wrote it.
        known: Tables of other calculations with the same settings, for the formation energies.
        outputs: File to write for ``compounds`` and for ``electronic``.
        facts: Origin, kept in both files beside versions and settings.
    """
    mine = read_records([path])
    frame = reference_set.calculations([*mine, *read_records(known)])
    compounds = reference_set.compounds(frame)
    structures = {record["structure"] for record in mine}
    compounds = compounds[(compounds["formula"] + " " + compounds["prototype"]).isin(structures)]
    electronic = reference_set.electronic(frame, compounds)
    provenance = {
        "versions": _values(record["versions"] for record in mine),
        "settings": _values(record["settings"] for record in mine),
        "calculations": len(mine),
        "failed": sum(record["status"] == "failed" for record in mine),
        "structures": len(structures),
        **facts,
    }
    _LOG.info("%d of %d structures are compounds", len(compounds), len(structures))
    for name, rows, schema in (("compounds", compounds, COMPOUNDS), ("electronic", electronic, ELECTRONIC)):
        tables.write(
            outputs[name], rows if len(rows) else pd.DataFrame(columns=list(schema)), schema, provenance
        )


def summarise_cells(
    path: str | Path, spec: StructureSet, name: str, table: str | Path, output: str | Path, **facts: Any
) -> None:
    """Write the results of a set of layers, a row a structure.

    Args:
        path: Table of the set, as `write_records` wrote it.
        spec: Configuration of the set.
        name: Its name.
        table: Table that its cells are listed from.
        output: File to write: `nestmat.dft.layers.CELLS` and the columns that the set keeps.
        facts: Origin, kept in the file beside versions and settings.
    """
    assert spec.layer is not None
    records = read_records([path])
    _, listed, _ = layers.list_layers(spec, name, table)
    frame = layers.cells(listed, records)
    provenance = {
        "versions": _values(record["versions"] for record in records),
        "settings": _values(record["settings"] for record in records),
        **_values({"kpoints": record["kpoints"]} for record in records),
        "calculations": len(records),
        "failed": int((frame["status"] == "failed").sum()),
        **facts,
    }
    _LOG.info("%d cells, %d failed", len(frame), provenance["failed"])
    tables.write(output, frame, layers.cells_schema(spec.layer), provenance)


def restore(folder: str | Path, results: str | Path) -> list[Path]:
    """Put published calculations back into the journals of a study, which then calculates only what is new.

    Args:
        folder: Folder with ``records.parquet``, as `export` wrote it.
        results: Folder of the study's DFT results.

    Returns:
        The journals written, one a set.

    Raises:
        InputError: The table is missing, or does not say which sets it holds.
    """
    source = Path(folder) / "records.parquet"
    lines = [json.dumps(record) + "\n" for record in read_records([source])]
    sets = tables.provenance(source).get("sets")
    if not sets:
        raise InputError(
            "does not say which sets its calculations are of.",
            file=source,
            remedy="give a folder that `nestmat dft export` wrote.",
        )
    journals = [Path(results) / "journal" / name / "restored.jsonl" for name in sets]
    for journal in journals:
        journal.parent.mkdir(parents=True, exist_ok=True)
        write_text(journal, "".join(lines))
    return journals


def _values(mappings: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Values by key: the one that all have, or the list of them."""
    found: dict[str, list[Any]] = {}
    for mapping in mappings:
        for key, value in mapping.items():
            if value not in found.setdefault(key, []):
                found[key].append(value)
    return {key: values[0] if len(values) == 1 else values for key, values in found.items()}


def export(
    results: str | Path, folder: str | Path, command: str, commit: str | None, candidates: str | None = None
) -> list[Path]:
    """Copy the tables of all sets into a folder, to be published.

    Args:
        results: Folder with a file for each of `nestmat.config.dft.DFT_TABLES`.
        folder: Folder to write to.
        command: The command, for the provenance.
        commit: Commit of the code.
        candidates: Name of a set of candidates or of layers, whose tables are copied instead.

    Returns:
        The files written.

    Raises:
        InputError: A table is missing.
    """
    written = []
    names: Sequence[str] = DFT_TABLES
    if candidates:
        layered = (Path(results) / f"{candidates}.cells.parquet").is_file()
        endings = ("cells",) if layered else ("compounds", "electronic")
        names = [candidates, *(f"{candidates}.{ending}" for ending in endings)]
    for name in names:
        source, target = Path(results) / f"{name}.parquet", Path(folder) / f"{name}.parquet"
        facts = {**tables.provenance(source), "licence": "CC0-1.0", "command": command, "commit": commit}
        tables.write(target, tables.read(source), tables.schema(source), facts)
        written.append(target)
    return written
