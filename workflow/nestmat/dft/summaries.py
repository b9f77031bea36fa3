"""Tables that sum up the calculations of structure sets."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from nestmat import tables
from nestmat.config.dft import StructureSet
from nestmat.dft import layers, reference_set
from nestmat.dft.records import CALCULATIONS, COMPOUNDS, ELECTRONIC, read_records, write_records

_LOG = logging.getLogger(__name__)


def summarise_sets(paths: Sequence[str | Path], outputs: Mapping[str, str | Path], **facts: Any) -> None:
    """Write the tables of all sets.

    Args:
        paths: Tables of the sets, as `write_records` wrote them. Of a structure that several sets list, the
            calculations of the first count, for the others may have other settings.
        outputs: File to write for each of `nestmat.config.dft.DFT_TABLES`.
        facts: Origin, kept in every file with versions and settings.
    """
    records: list[dict[str, Any]] = []
    structures: set[str] = set()
    for path in paths:
        calculated = read_records([path])
        names = {record["structure"] for record in calculated}
        if repeated := sorted(names & structures):
            _LOG.warning("%s: left out what an earlier set has calculated: %s", path, ", ".join(repeated))
        records += [record for record in calculated if record["structure"] not in structures]
        structures |= names
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
    results = {
        "calculations": (frame, CALCULATIONS),
        "compounds": (compounds, COMPOUNDS),
        "electronic": (reference_set.electronic(frame, compounds), ELECTRONIC),
    }
    _LOG.info("%d calculations, %d perovskites", len(frame), len(compounds))
    for name, (rows, schema) in results.items():
        tables.write(
            outputs[name], rows if len(rows) else pd.DataFrame(columns=list(schema)), schema, provenance
        )


def summarise_candidates(
    path: str | Path, reference_paths: Sequence[str | Path], outputs: Mapping[str, str | Path], **facts: Any
) -> None:
    """Write the compounds of one set and their strains, without all others.

    Args:
        path: Table of the set, as `write_records` wrote it.
        reference_paths: Tables of other calculations with the same settings, for the formation energies.
        outputs: File to write for ``compounds`` and for ``electronic``.
        facts: Origin, kept in both files with versions and settings.
    """
    records = read_records([path])
    frame = reference_set.calculations([*records, *read_records(reference_paths)])
    compounds = reference_set.compounds(frame)
    structures = {record["structure"] for record in records}
    compounds = compounds[(compounds["formula"] + " " + compounds["prototype"]).isin(structures)]
    electronic = reference_set.electronic(frame, compounds)
    provenance = {
        "versions": _values(record["versions"] for record in records),
        "settings": _values(record["settings"] for record in records),
        "calculations": len(records),
        "failed": sum(record["status"] == "failed" for record in records),
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
        facts: Origin, kept in the file with versions and settings.
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


def _values(mappings: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Values by key: the one that all have, or the list of them."""
    values_by_key: dict[str, list[Any]] = {}
    for mapping in mappings:
        for key, value in mapping.items():
            if value not in values_by_key.setdefault(key, []):
                values_by_key[key].append(value)
    return {key: values[0] if len(values) == 1 else values for key, values in values_by_key.items()}
