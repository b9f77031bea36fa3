#!/usr/bin/env python3
"""Record the sha256 of the contents of every table under some folders, and compare two records.

A table's columns, their types and units, and its rows in their order count; provenance, wall times and
descriptions of columns do not. Runs with the same threads on one machine give one record, so that a change
of the code that is to change no result can be held against the record before it.

Usage:
    python tools/hash_tables.py FOLDER [FOLDER ...] > record.json
    python tools/hash_tables.py --compare before.json after.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

WALL_TIMES = {"seconds", "train_seconds", "predict_seconds", "wall_seconds", "seconds_per_thousand_hits"}
"""Columns that hold wall times."""
TIMED_METRICS = {"seconds", "seconds_per_thousand_hits", "train_seconds", "predict_seconds"}
"""Values of a column `metric` whose rows hold wall times."""


def hash_table(path: Path) -> str:
    """Sha256 of a Parquet file's columns, units and rows.

    Args:
        path: The file.
    """
    table = pq.read_table(path)
    if "metric" in table.column_names:
        metrics = table.column("metric").to_pylist()
        table = table.filter(pa.array([metric not in TIMED_METRICS for metric in metrics], pa.bool_()))
    digest = hashlib.sha256()
    for field in table.schema:
        if field.name in WALL_TIMES:
            continue
        unit = (field.metadata or {}).get(b"unit", b"").decode()
        digest.update(f"{field.name}|{field.type}|{unit}\n".encode())
        digest.update(repr(table.column(field.name).to_pylist()).encode())
    return digest.hexdigest()


def record_tables(folders: list[Path]) -> dict[str, str]:
    """Hashes by path, of the tables under the `results` of some folders, without empty files.

    Args:
        folders: Folders that hold `results`, at any depth.
    """
    hashes = {}
    for folder in folders:
        for path in sorted(folder.rglob("results/**/*")):
            if path.suffix == ".parquet" and path.stat().st_size:
                hashes[str(path.relative_to(folder))] = hash_table(path)
    return hashes


def compare_records(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Tables that are missing, new or of other contents, a line each.

    Args:
        before: Hashes by path.
        after: The same, later.
    """
    lines = [f"missing: {path}" for path in sorted(set(before) - set(after))]
    lines += [f"new: {path}" for path in sorted(set(after) - set(before))]
    common = sorted(set(before) & set(after))
    return lines + [f"changed: {path}" for path in common if before[path] != after[path]]


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--compare", action="store_true", help="compare two records")
    options = parser.parse_args()
    if not options.compare:
        print(json.dumps(record_tables(options.paths), indent=1))
        return 0
    before, after = (json.loads(path.read_text()) for path in options.paths)
    differences = compare_records(before, after)
    print("\n".join(differences))
    print(f"{len(set(before) & set(after))} tables compared, {len(differences)} differ")
    return bool(differences)


if __name__ == "__main__":
    sys.exit(main())
