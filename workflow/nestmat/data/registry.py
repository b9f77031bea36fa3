"""The registry of data sets, and how a study's reference to one is resolved."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nestmat.config.datasets import DEVICES, DatasetSpec
from nestmat.config.kinds import message_of
from nestmat.config.yaml_files import load_yaml
from nestmat.errors import InputError
from nestmat.paths import RESOURCES

REGISTRY = RESOURCES / "datasets.yaml"
# Not in the modules of the generators: the rules need it while they are read, and generators import much.
READS: Mapping[str, tuple[str, ...]] = {DEVICES: ("reference/calculations.parquet",)}
"""Files of resources/ that a generator reads, by its name."""


def load(path: str | Path = REGISTRY) -> dict[str, DatasetSpec]:
    """Read and validate a registry.

    Args:
        path: YAML file: a mapping of names to entries.

    Raises:
        InputError: The file is missing, is not YAML, or an entry is faulty; names entry and key.
    """
    data = load_yaml(path)
    if not isinstance(data, dict):
        raise InputError("The registry is not a mapping of names to data sets.", file=path)
    return {str(name): _entry(str(name), value, path) for name, value in data.items()}


def _entry(name: str, value: Any, path: str | Path) -> DatasetSpec:
    try:
        return DatasetSpec.model_validate(value)
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join([name, *(str(part) for part in fault["loc"])])
        more = f" ({error.error_count() - 1} more faults)" if error.error_count() > 1 else ""
        raise InputError(
            f"{message_of(fault)}{more}.",
            file=path,
            key=key,
            remedy="see docs/configuration.md for the keys of a data set.",
        ) from error


def resolve(reference: str | DatasetSpec, registry: str | Path = REGISTRY) -> DatasetSpec:
    """The data set that a study names or describes.

    Args:
        reference: Name in the registry, or a whole entry.
        registry: File of the registry.

    Raises:
        InputError: The registry has no such name.
    """
    if isinstance(reference, DatasetSpec):
        return reference
    path = Path(registry)
    entries = _read_once(str(path), path.stat().st_mtime_ns) if path.is_file() else load(path)
    if reference not in entries:
        raise InputError(
            f"The registry has no data set {reference!r}{closest(reference, entries)}.",
            file=registry,
            remedy=f"choose one of {', '.join(entries)}, or describe your own in the study.",
        )
    return entries[reference]


@functools.lru_cache
def _read_once(registry: str, _changed: int) -> dict[str, DatasetSpec]:
    """A registry, which many parts of a plan ask for; read again when it has changed."""
    return load(registry)


_MOST_COMPARED = 5_000


def closest(name: str, candidates: Any) -> str:
    """A hint at the name that was probably meant, or nothing.

    Example:
        >>> closest("gap ", ["Gap", "a"])
        " (did you mean 'Gap'?)"
    """
    names = [str(k) for k in candidates]
    folded = {n.casefold().strip(): n for n in reversed(names)}
    # Comparing letters takes seconds for as many names as a wide table has.
    matches = [name.casefold().strip()] if name.casefold().strip() in folded else []
    if not matches and len(names) <= _MOST_COMPARED:
        matches = difflib.get_close_matches(name.casefold().strip(), folded, n=1)
    return f" (did you mean {folded[matches[0]]!r}?)" if matches else ""
