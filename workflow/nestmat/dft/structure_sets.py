"""The structures of a set: built in, of a user's table, or layers in the cells of a table.

The calculations run under an interpreter of their own, which has GPAW and need not have nestmat. What goes in
and out of it are lines of JSON: `nestmat.dft.structures` describes a structure, `nestmat.dft.records` a
calculation.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.config.datasets import ColumnSpec, DatasetSpec
from nestmat.config.dft import StructureSet
from nestmat.data.reading import read
from nestmat.dft import layers, reference_set
from nestmat.dft.structures import CellScan, radius_rule, structure_record
from nestmat.errors import InputError
from nestmat.files import write_text
from nestmat.materials.formulas import parse
from nestmat.materials.ions import ion

# Cubic halide perovskites have lattice constants of 3.7 to 6.8 angstrom.
_LATTICES = (3.0, 10.0)
# Scales about a lattice constant that is known; the radius rule, in contrast, lies above the minimum.
_PROBES = (0.97, 1.0, 1.03)
# Ions with unpaired electrons: the calculations have no spin.
_OPEN_SHELL = frozenset(("Mn", "Eu"))


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
        InputError: An option does not fit, the calculations lack what the set needs, or the table has no
            usable row.
    """
    table = table or spec.file
    if spec.layer is not None:
        assert table is not None
        structures, _, rejects = layers.list_layers(spec, name, table)
        return structures, rejects
    if table is not None:
        return read_structures(table, name, **spec.settings.stated)
    assert spec.set is not None
    calculated = list(records)
    try:
        structures = list(spec.set.build(reference_set.calculations(calculated) if calculated else None))
    except ValueError as error:
        raise InputError(
            f"The structures cannot be listed: {error}.",
            key=f"dft.sets.{name}",
            remedy="look at the failed calculations of the sets named in `after`.",
        ) from error
    return structures, pd.DataFrame(columns=list(tables.REJECTS))


def read_structures(path: str | Path, name: str, **options: Any) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Structures of a user's table.

    Args:
        path: CSV file with the column ``formula`` and optionally ``lattice`` in angstrom, or empty.
        name: Name of the set, for messages.
        options: Changes to the arguments of `nestmat.dft.structures.structure_record`.

    Returns:
        Structures, and rejects with the columns of `nestmat.tables.REJECTS`.

    Raises:
        InputError: The file cannot be read or has no usable row.
    """
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
            record = _structure(text, float(lattice), **options)
            if (first := lines.setdefault(record["structure"], line)) != line:
                raise InputError(
                    f"The formula {text!r} is the material of row {first} again.",
                    column="formula",
                    value=text,
                    reason=f"is the material of row {first} again.",
                )
            structures[record["structure"]] = record
        except InputError as error:
            rejected.append((line, error.column, str(error.value), error.rejection))
    rejects_of_structures = pd.DataFrame(rejected, columns=list(tables.REJECTS)).astype({"row": "int64"})
    # pandas would warn of an empty part.
    reject_tables = [
        reject_table for reject_table in (reading.rejects, rejects_of_structures) if len(reject_table)
    ]
    rejects = (
        pd.concat(reject_tables).sort_values("row", ignore_index=True)
        if reject_tables
        else rejects_of_structures
    )
    if not structures:
        raise InputError(
            f"The table has no structure to calculate: all {len(rejects)} rows are rejected, the first "
            "because it "
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
            f"The file cannot be read: {error}.", file=path, remedy="give the path of a CSV file."
        ) from error
    return [cell.strip() for cell in cells]


def _structure(text: str, lattice: float, **options: Any) -> dict[str, Any]:
    prototype, formula, species, start = _prototype(text)
    if not np.isnan(lattice):
        low, high = _LATTICES
        if not low <= lattice <= high:
            reason = f"is not the lattice constant of a cubic perovskite, {low:g} to {high:g} Å."
            raise InputError(f"The number {reason}", column="lattice", value=lattice, reason=reason)
        start, options = lattice, {"probes": _PROBES, **options}
    scales = {name: options.pop(name) for name in ("probes", "strains") if name in options}
    scan = CellScan(relax=prototype == "ordered_perovskite", **scales)
    return structure_record(prototype, formula, species, start, scan, **options)


def _prototype(text: str) -> tuple[str, str, tuple[Any, ...], float]:
    """Prototype, formula unit, species and the lattice constant of `radius_rule` for a formula."""

    def fault(reason: str, remedy: str = "") -> InputError:
        message = f"The formula {text!r} {reason}"
        return InputError(message, column="formula", value=text, remedy=remedy or None, reason=reason)

    parsed = parse(text)
    sites = parsed.sites()
    ions = {symbol: ion(symbol) for symbol in parsed.species}
    if molecules := [symbol for symbol, properties in ions.items() if properties.molecular]:
        raise fault(f"holds the molecule {molecules[0]}, which has no place in a cubic cell of five atoms.")
    if magnetic := sorted(_OPEN_SHELL & set(ions)):
        raise fault(f"holds {magnetic[0]}, whose unpaired electrons a calculation without spin leaves out.")
    number = {"A": 1, "B": 1, "X": 3}
    charge = sum(number[site] * f * ions[s].charge for site, part in sites.items() for s, f in part.items())
    if abs(charge) > 1e-6:
        raise fault(f"is not neutral: the charges of its ions sum to {charge:+g}.")
    split = [site for site, part in sites.items() if len(part) > 1]
    is_half = all(len(sites[site]) == 2 and np.allclose(list(sites[site].values()), 0.5) for site in split)
    if not is_half:
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
