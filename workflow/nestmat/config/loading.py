"""Studies read and validated, with messages that name file and key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nestmat.config.base import LARGEST_SEED
from nestmat.config.kinds import OPTIONS_FAULT, UNCHECKED, UNKNOWN_KEY, message_of
from nestmat.config.near_keys import near_keys
from nestmat.config.study import Study
from nestmat.config.yaml_files import load_yaml
from nestmat.errors import InputError
from nestmat.plugins import load_plugins

MOST_FAULTS = 20
"""Faults of a study that are listed."""
LONGEST_LINE = 300
"""Letters of a fault that are shown."""


def _sentence(line: str) -> str:
    """A fault that ends with a full stop, cut where a key or value in it is endless."""
    line = line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}..."
    return line if line.endswith((".", "?")) else f"{line}."


def _explain(error: ValidationError) -> list[str]:
    """Each fault with its dotted key: ``scales.gap.sweep.latents: Field required``."""
    lines = []
    for fault in error.errors():
        # Of the two forms of a data set, a name or an entry, an entry is only held against the second.
        if fault["loc"][::2] == ("datasets", "str") and isinstance(fault["input"], dict):
            continue
        parts = [part for part in fault["loc"] if "DatasetSpec" not in str(part)]
        faults: list[Any] = [{**fault, "loc": ()}]
        if fault["type"] == OPTIONS_FAULT:
            faults = fault["ctx"]["faults"]
        for part in faults:
            # What keys must fit each other is checked of the whole study, and the message names its key.
            key = ".".join(map(str, [*parts, *part["loc"]]))
            message = message_of(part)
            if part["type"] in UNKNOWN_KEY:
                # Options of a kind are compared with those of that kind, where it is checked.
                near = part.get("near_keys") or near_keys(Study, [*parts, *part["loc"]])
                message += "; is it misspelt?" + f" Did you mean {' or '.join(map(repr, near))}?" * bool(near)
            lines.append(f"{key}: {message}" if key else message)
    return lines


def study_from(
    config: Mapping[str, Any], file: str | Path | None = None, check_options: bool = True
) -> Study:
    """Validate a configuration, whose plug-in files are loaded before.

    Args:
        config: Keys and values of the study.
        file: The study's file, for messages.
        check_options: Whether options of kinds are checked, which imports what defines the kinds. Jobs of a
            study that has been checked leave it out.

    Raises:
        InputError: Names the file and every faulty key, or a plug-in file that cannot be loaded.
    """
    _require_small_numbers(config, file)
    plugins = config.get("plugins")
    if isinstance(plugins, list):
        load_plugins(path for path in plugins if isinstance(path, str))
    try:
        return Study.model_validate(dict(config), context=None if check_options else UNCHECKED)
    except ValidationError as error:
        lines = [_sentence(line) for line in _explain(error)]
        lines[MOST_FAULTS:] = [f"and {len(lines) - MOST_FAULTS} more."] * (len(lines) > MOST_FAULTS)
        faults = "\n  ".join(lines)
        raise InputError(
            f"The study is not valid:\n  {faults}\n",
            file=file,
            remedy="see docs/configuration.md for the keys and their meaning.",
        ) from error


def _require_small_numbers(config: Mapping[str, Any], file: str | Path | None) -> None:
    """Check that no whole number is too large for the libraries: it would fail in the middle of a run."""
    waiting: list[tuple[str, Any]] = [(str(key), value) for key, value in config.items()]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += [(f"{key}.{name}", entry) for name, entry in value.items()]
        elif isinstance(value, list):
            waiting += [(f"{key}.{place}", entry) for place, entry in enumerate(value)]
        elif isinstance(value, int) and abs(value) > LARGEST_SEED:
            raise InputError(
                "The whole number is too large.",
                file=file,
                key=key[:LONGEST_LINE],
                remedy=f"use {LARGEST_SEED} at most.",
            )


def load_study(path: str | Path, check_options: bool = True) -> Study:
    """Read and validate a study file.

    Args:
        path: The file.
        check_options: Whether options of kinds are checked, as for `study_from`.

    Raises:
        InputError: Naming the file and every faulty key.
    """
    data = load_yaml(path)
    if not isinstance(data, dict):
        raise InputError(
            "The file is not a mapping of keys to values.", file=path, remedy="start from `nestmat new`."
        )
    return study_from(data, path, check_options)
