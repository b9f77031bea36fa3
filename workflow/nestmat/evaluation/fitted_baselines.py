"""Fitted baselines that are kept for predictions: one archive a scale and protocol, nothing pickled.

An archive is a ZIP file. ``contents.json`` in it says which baseline of which target was fitted with what;
each fit is a file of skops, which holds arrays and the names of types, and no code. It is read only where
skops trusts all types, or the kind answers for them: by `BaselineKind.stored_types`, or because the module
that registers the kind defines them. For a kind of a plug-in that is the file that the study names, whose
code runs anyway. What is trusted keeps a file from running other code. It does not make the numbers in it
safe: a forged tree can still crash the program.
"""

from __future__ import annotations

import importlib
import io
import json
import re
import sys
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nestmat import seals
from nestmat.config.baselines import Baseline
from nestmat.errors import InputError
from nestmat.files import replacing

CONTENTS = "contents.json"
_SCHEMA = "schema.json"
_OBJECT = re.compile(rb'("__id__": |"file": ")([\w-]+)')
"""Number of an object, and name of the file of an array, in the schema of skops."""
COMPRESSION_LEVEL = 1
"""Of deflate: a forest becomes a third as large; higher levels take twice the time for a fifteenth less."""
Fits = dict[str, dict[str, Any]]
"""Fitted estimators, by baseline and target."""


@dataclass(frozen=True)
class FitsToKeep:
    """Which fits are kept, and where.

    Attributes:
        path: Archive to write.
        baselines: Names of the baselines; an archive of none says so.
        fold: Fold that the fits left out; -1 for fits on every row.
    """

    path: str | Path
    baselines: Collection[str]
    fold: int = -1


def dump_fit(baseline: Baseline, fitted: Any) -> bytes:
    """The file of a fit.

    Args:
        baseline: The baseline as the study configures it.
        fitted: What `BaselineKind.fit` returned.

    Raises:
        InputError: The fit holds what cannot be stored, or types that the kind does not state.
    """
    from skops.io import dumps, get_untrusted_types

    try:
        content = _renumbered(dumps(fitted))
    except TypeError as error:
        raise InputError(
            f"A fitted baseline of kind {baseline.kind!r} cannot be stored: {error}",
            key="baselines.kind",
            remedy="give the estimator arrays, numbers, text and estimators as attributes.",
        ) from error
    if unstated := sorted({*get_untrusted_types(data=content)} - _trusted_types(baseline)):
        raise InputError(
            f"A fitted baseline of kind {baseline.kind!r} holds types that the kind does not state: "
            f"{', '.join(unstated)}.",
            key="baselines.kind",
            remedy="name them in `stored_types` of its class.",
        )
    return content


def _renumbered(content: bytes) -> bytes:
    """The file of a fit with its objects numbered in their order, and without the time, compressed.

    skops numbers objects by their places in memory, which differ from run to run.
    """
    numbers: dict[bytes, bytes] = {}

    def renumber(match: re.Match[bytes]) -> bytes:
        number = numbers.setdefault(match[2], str(len(numbers) + 1).encode())
        return match[1] + number

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        schema = _OBJECT.sub(renumber, archive.read(_SCHEMA))
        arrays = {}
        for name in archive.namelist():
            number, _, ending = name.partition(".")
            if name != _SCHEMA:
                arrays[int(numbers[number.encode()])] = (ending, archive.read(name))
    again = io.BytesIO()
    with zipfile.ZipFile(again, "w") as archive:
        members = [(f"{number}.{ending}", array) for number, (ending, array) in sorted(arrays.items())]
        for name, member in [(_SCHEMA, schema), *members]:
            archive.writestr(zipfile.ZipInfo(name), member, zipfile.ZIP_DEFLATED, COMPRESSION_LEVEL)
    return again.getvalue()


def write_fits(
    path: str | Path, baselines: Mapping[str, Baseline], fits: Mapping[tuple[str, str], bytes]
) -> None:
    """Write an archive, whole or not at all.

    Args:
        path: The archive.
        baselines: Baselines by name, as the study configures them.
        fits: File of each fit, see `dump_fit`, by baseline and target.
    """
    entries = [
        {
            "baseline": name,
            "target": target,
            "settings": _settings(baselines[name]),
            "packages": _packages(baselines[name]),
            "file": f"{number}.skops",
        }
        for number, (name, target) in enumerate(fits)
    ]
    with replacing(path) as temporary:
        with zipfile.ZipFile(temporary, "w") as archive:
            # Of a fixed date, which `ZipInfo` has by default: the same fits are the same bytes.
            contents = json.dumps({"fits": entries}, indent=1) + "\n"
            archive.writestr(zipfile.ZipInfo(CONTENTS), contents)
            for entry, content in zip(entries, fits.values(), strict=True):
                archive.writestr(zipfile.ZipInfo(str(entry["file"])), content)
            archive.comment = f"{seals.KEY}: {seals.BLANK}".encode()
        seals.seal(temporary)


def read_fits(path: str | Path, baselines: Mapping[str, Baseline]) -> Fits:
    """Read the fits of baselines from an archive.

    Args:
        path: The archive.
        baselines: Baselines to read by name, as the study configures them.

    Raises:
        InputError: The archive is missing or damaged, lacks a baseline or has it with other options, was
            written with other versions of the packages, or holds a type that is not trusted.
    """
    from skops.io import loads

    remedy = "delete the file, if it is there, and run the study again."
    fits: Fits = {name: {} for name in baselines}
    seals.verify(path)
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in json.loads(archive.read(CONTENTS))["fits"]:
                name, target = entry["baseline"], entry["target"]
                if name in baselines:
                    _check_entry(path, entry, baselines[name], remedy)
                    trusted = sorted(_trusted_types(baselines[name]))
                    fits[name][target] = loads(archive.read(entry["file"]), trusted=trusted)
    except InputError:
        raise
    except Exception as error:  # Whatever a damaged or foreign file leads to, its reader is told one thing.
        reason = next(iter(str(error).splitlines()), "")
        raise InputError(
            f"The fitted baselines cannot be read: {type(error).__name__}: {reason}",
            file=path,
            remedy=remedy,
        ) from error
    if missing := [name for name, by_target in fits.items() if not by_target]:
        raise InputError(f"The file does not hold the baseline {missing[0]!r}.", file=path, remedy=remedy)
    return fits


def _check_entry(path: str | Path, entry: Mapping[str, Any], baseline: Baseline, remedy: str) -> None:
    """Raise an error where a fit is of other options, or of other versions of its packages."""
    name = entry["baseline"]
    if entry["settings"] != _settings(baseline):
        raise InputError(
            f"The baseline {name!r} was fitted with other options than those of the study.",
            file=path,
            value=entry["settings"],
            remedy=remedy,
        )
    for package, version in _packages(baseline).items():
        if entry["packages"].get(package) != version:
            raise InputError(
                f"The baseline {name!r} was fitted with {package} {entry['packages'].get(package)}, and "
                f"{version} is installed.",
                file=path,
                remedy=f"{remedy} Or install the version that it was fitted with.",
            )


def _settings(baseline: Baseline) -> dict[str, Any]:
    """Kind, inputs and options, as JSON gives them back."""
    return json.loads(json.dumps({"kind": baseline.kind, "inputs": baseline.inputs, **baseline.options}))


def _packages(baseline: Baseline) -> dict[str, str]:
    """Version of each package that the estimator of a baseline comes from, by its name in Python."""
    names = {"sklearn", *(stored.split(".")[0] for stored in baseline.registered.stored_types)}
    return {name: importlib.import_module(name).__version__ for name in sorted(names)}


def _trusted_types(baseline: Baseline) -> set[str]:
    """Types besides those of skops that the kind of a baseline answers for."""
    kind = baseline.registered
    own = {name for name, entry in vars(sys.modules[kind.__module__]).items() if _is_defined_in(entry, kind)}
    return {*kind.stored_types, *(f"{kind.__module__}.{name}" for name in own)}


def _is_defined_in(entry: Any, kind: type) -> bool:
    return getattr(entry, "__module__", None) == kind.__module__
