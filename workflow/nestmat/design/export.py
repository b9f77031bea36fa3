"""Files of a shortlist for other programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pymatgen.core import DummySpecies, Lattice, Species, Structure
from pymatgen.io.cif import CifWriter

from nestmat import tables
from nestmat.design.lattice import lattice_constant, site_occupancies
from nestmat.design.problem import Design
from nestmat.exports import csv_text, json_lines
from nestmat.files import write_text
from nestmat.materials.ions import ion
from nestmat.search.spaces.alloys import SITES

PROTOTYPE = "idealised cubic prototype Pm-3m with mixed sites, not relaxed and not calculated"


POSITIONS: Mapping[str, list[tuple[float, ...]]] = {
    "A": [(0.5, 0.5, 0.5)],
    "B": [(0, 0, 0)],
    "X": [(0.5, 0, 0), (0, 0.5, 0), (0, 0, 0.5)],
}


def export_candidates(
    design: Design, shortlist: str | Path, csv: str | Path, jsonl: str | Path, cif: Path
) -> None:
    """Write the shortlist for other programs, and their checksums into the shortlist.

    Args:
        design: The problem.
        shortlist: Table that `make_shortlist` wrote.
        csv: Comma-separated values to write, units in the header.
        jsonl: The same, one JSON object on each line, with the units in the first.
        cif: Folder to write, one file for each candidate: idealised prototypes, labelled as such. Empty
            where the materials are no ABX3.
    """
    frame = tables.read(shortlist)
    units = {name: column.unit for name, column in tables.schema(shortlist).items()}
    headers = {name: f"{name} ({unit})" for name, unit in units.items() if unit}
    write_text(csv, csv_text(frame.rename(columns=headers)))
    header = {"problem": design.name, "units": {name: unit for name, unit in units.items() if unit}}
    rows = json.loads(frame.to_json(orient="records", double_precision=10))
    write_text(jsonl, json_lines([header, *rows]))
    cif.mkdir(parents=True, exist_ok=True)
    if design.space.sites:
        for row in frame.to_dict("records"):
            name = f"{row['rank']:03d}_{row['formula']}"
            write_text(cif / f"{name}.cif", _cif(design, row))
    tables.record_copies(shortlist, [Path(csv), Path(jsonl), *sorted(cif.glob("*.cif"))])


def _cif(design: Design, row: dict[Any, Any]) -> str:
    sites: list[dict[Any, float]] = []
    positions: list[tuple[float, ...]] = []
    molecules: dict[str, str] = {}
    for site in SITES:
        occupants: dict[Any, float] = {}
        for symbol, share in site_occupancies(design, site, row):
            species = ion(symbol)
            if species.molecular:
                # CIF has no symbol for a molecule: Xa, Xb, ... stand for its centre.
                molecules.setdefault(symbol, f"X{chr(ord('a') + len(molecules))}")
                occupants[DummySpecies(molecules[symbol], species.charge)] = share
            else:
                occupants[Species(symbol, species.charge)] = share
        sites += [occupants] * len(POSITIONS[site])
        positions += POSITIONS[site]
    structure = Structure(Lattice.cubic(lattice_constant(design, row)), sites, positions)
    header = f"# nestmat candidate {row['rank']} of {design.name}: {row['formula']}\n# {PROTOTYPE}\n"
    centres = "".join(f"# {label} is the centre of the molecular ion {m}\n" for m, label in molecules.items())
    return f"{header}{centres}{CifWriter(structure)}"
