"""Calculations that are published: copies of the tables, and journals restored from them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from nestmat import tables
from nestmat.config.dft import DFT_TABLES
from nestmat.dft.records import read_records
from nestmat.errors import InputError
from nestmat.files import write_text


def restore_journals(folder: str | Path, results: str | Path) -> list[Path]:
    """Put published calculations back into the journals of a study, which then calculates only what is new.

    Args:
        folder: Folder with ``records.parquet``, as `export` wrote it.
        results: Folder of the study's DFT results.

    Returns:
        The journals written, one a set.

    Raises:
        InputError: The table is missing, or does not name the sets that it holds.
    """
    source = Path(folder) / "records.parquet"
    lines = [json.dumps(record) + "\n" for record in read_records([source], sealed=False)]
    sets = tables.provenance(source, sealed=False).get("sets")
    if not sets:
        raise InputError(
            "The table does not name the sets of its calculations.",
            file=source,
            remedy="give a folder that `nestmat dft export` wrote.",
        )
    journals = [Path(results) / "journal" / name / "restored.jsonl" for name in sets]
    for journal in journals:
        journal.parent.mkdir(parents=True, exist_ok=True)
        write_text(journal, "".join(lines))
    return journals


def export_tables(
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
