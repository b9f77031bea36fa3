"""Records of calculations, as they are made and as they are read."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from nestmat import tables
from nestmat.errors import InputError

_LOG = logging.getLogger(__name__)
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


def read_parts(paths: Iterable[str | Path]) -> list[dict[str, Any]]:
    """The records of finished parts, in their order.

    Args:
        paths: Files of JSON lines.

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
                    f"The line is not JSON: {error}.",
                    file=path,
                    row=number,
                    remedy="delete the file and run again; calculations are kept in the journal.",
                ) from error
    return records


def write_records(records: Iterable[Mapping[str, Any]], path: str | Path, **facts: Any) -> None:
    """Write calculations as a table of the columns `RECORDS`; what a failed one lacks is null.

    Args:
        records: Records of `scripts/run_dft.py`.
        path: File to write.
        facts: Origin, kept in the file.
    """
    rows = [
        {name: json.dumps(r[name]) if name in _JSON else r[name] for name in RECORDS if name in r}
        for r in records
    ]
    frame = pd.DataFrame(rows, columns=list(RECORDS))
    _LOG.info("%d calculations, %d failed", len(frame), (frame["status"] == "failed").sum())
    tables.write(path, frame, RECORDS, facts)


def read_records(paths: Iterable[str | Path], sealed: bool = True) -> list[dict[str, Any]]:
    """The calculations that `write_records` wrote; published ones need not be ``sealed``."""
    records = []
    for path in paths:
        for row in tables.read(path, sealed=sealed).to_dict("records"):
            present = {str(name): value for name, value in row.items() if not pd.isna(value)}
            records.append({n: json.loads(v) if n in _JSON else v for n, v in present.items()})
    return records
