"""The folder that the files of a study count from, and these files."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nestmat.errors import InputError


def own_files(content: Any) -> Iterator[tuple[str, str]]:
    """Key and path of every file of a user that a study names.

    Args:
        content: The study as its YAML file holds it, valid or not.
    """
    if not isinstance(content, Mapping):
        return
    plugins = content.get("plugins")
    yield from (("plugins", path) for path in (plugins if isinstance(plugins, list) else []))
    sets = content.get("dft", {}).get("sets", {}) if isinstance(content.get("dft"), Mapping) else {}
    for part, entries in (("datasets", content.get("datasets")), ("dft.sets", sets)):
        for name, entry in entries.items() if isinstance(entries, Mapping) else ():
            yield from _files_of(entry, f"{part}.{name}")


def _files_of(entry: Any, key: str) -> Iterator[tuple[str, str]]:
    if not isinstance(entry, Mapping):
        return
    if isinstance(entry.get("file"), str):
        yield f"{key}.file", entry["file"]
    further = entry.get("further_files")
    for place, part in enumerate(further if isinstance(further, list) else []):
        yield from _files_of(part, f"{key}.further_files.{place}")


def working_folder(content: Any, file: str | Path) -> Path:
    """Where a study runs: the working folder, or that of its file where its own files are there alone.

    Args:
        content: The study as its YAML file holds it.
        file: Its YAML file.

    Raises:
        InputError: The path of a file has braces.
    """
    paths = []
    for key, path in own_files(content):
        if isinstance(path, str):
            paths.append(path)
            if {"{", "}"} & set(path):
                raise InputError(
                    "The path has braces, in which Snakemake reads wildcards.",
                    file=file,
                    key=key,
                    value=path,
                    remedy="rename the file or its folder.",
                )
    here, beside = Path.cwd(), Path(file).resolve().parent
    absent = [path for path in paths if not (here / path).is_file()]
    return beside if absent and all((beside / path).is_file() for path in paths) else here


def results_folder(study: str, file: str | Path, folder: str | Path) -> Path:
    """Folder of the results of a study: below the one it runs in, or else below that of its file.

    Args:
        study: Name of the study.
        file: Its YAML file.
        folder: Where it runs, of `working_folder`.
    """
    places = [Path(parent) / "results" / study for parent in (folder, Path(file).resolve().parent)]
    return next((place for place in places if place.is_dir()), places[0])


def provide_cache() -> None:
    """Let caches be made in a temporary folder where the user's own cannot be written: Snakemake needs one.

    The folder is deleted at the end of the process.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    try:
        cache.mkdir(parents=True, exist_ok=True)
        writable = os.access(cache, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        os.environ["XDG_CACHE_HOME"] = folder = tempfile.mkdtemp(prefix="nestmat-cache-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
