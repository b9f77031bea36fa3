"""Results that are not what was written: `nestmat check` names them, and `nestmat report` remakes them."""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from nestmat import seals, tables
from nestmat.config.study import Study
from nestmat.errors import InputError
from nestmat.files import sha256
from nestmat.plan.parts import added_results

_LOG = logging.getLogger(__name__)

SEALED = frozenset((".html", ".json", ".parquet", ".safetensors", ".svg", ".yaml", ".zip"))
"""Suffixes of the files that carry their checksum."""
NOT_RESULTS = ("benchmarks", "logs")
"""Folders of what is no result: it differs from run to run, and nothing is made of it."""


def result_files(study: Study, results: Path) -> Iterator[Path]:
    """Files of a study that carry their checksum, or would; not those that the rules of plug-ins make."""
    added = {Path(path).relative_to("<results>") for path in added_results(study)}
    for path in sorted(results.rglob("*")):
        place = path.relative_to(results)
        hidden = any(part.startswith(".") for part in place.parts)
        if path.suffix in SEALED and place.parts[0] not in NOT_RESULTS and place not in added and not hidden:
            yield path


def damaged_files(study: Study, results: Path) -> dict[Path, InputError]:
    """What is wrong with each damaged file among the results of a study.

    Every byte of every result is read.

    Args:
        study: The study.
        results: Folder of its results, which need not be there.
    """
    faults = {}
    for path in result_files(study, results):
        try:
            seals.verify(path)
            copies = tables.provenance(path).get(tables.COPIES, {}) if path.suffix == ".parquet" else {}
        except InputError as error:
            faults[path] = error
            continue
        for name, checksum in copies.items():
            copy = path.parent / name
            if not copy.is_file() or sha256(copy) != checksum:
                faults[copy] = InputError(
                    f"The file is damaged: it is not what was made of {path.name}.",
                    file=copy,
                    remedy=seals.REMEDY,
                )
    return faults


def delete_damaged(faults: Mapping[Path, InputError]) -> None:
    """Delete damaged files, so that the next run makes them again; each is logged.

    Of a folder that a job makes as a whole, such as that of figures, all of it is deleted.

    Args:
        faults: What is wrong with each.
    """
    for path, fault in faults.items():
        _LOG.warning("%s", fault)
        # Snakemake marks the folders that jobs make.
        place = path.parent if (path.parent / ".snakemake_timestamp").is_file() else path
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)


def print_check(study: Study, results: Path, delete: bool) -> int:
    """Print which results of a study are damaged, and delete them where that is asked for; exit status."""
    count = sum(1 for _ in result_files(study, results))
    faults = damaged_files(study, results)
    if delete:
        delete_damaged(faults)
    else:
        for path, fault in faults.items():
            print(f"{path}: {fault.message}", file=sys.stderr)
    print(f"{results}: {count} files read, {len(faults)} damaged{' and deleted' if delete else ''}")
    if faults and not delete:
        print(f"Remedy: {seals.REMEDY}")
    return int(bool(faults) and not delete)
