"""Studies read and validated, with messages that name file and key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nestmat.config.study import Study
from nestmat.config.yaml_files import load_yaml
from nestmat.errors import InputError


def _explain(error: ValidationError) -> list[str]:
    found = []
    for fault in error.errors():
        # Of the two forms of a data set, a name or an entry, an entry is only held against the second.
        if fault["loc"][::2] == ("datasets", "str") and isinstance(fault["input"], dict):
            continue
        key = ".".join(str(part) for part in fault["loc"] if "DatasetSpec" not in str(part)) or "(top level)"
        hint = (
            "; is it misspelt?" if fault["type"] in ("extra_forbidden", "unexpected_keyword_argument") else ""
        )
        found.append(f"{key}: {fault['msg']}{hint}")
    return found


def study_from(data: Mapping[str, Any], file: str | Path | None = None) -> Study:
    """Validate a configuration.

    Raises:
        InputError: Naming the file and every faulty key.
    """
    try:
        return Study.model_validate(dict(data))
    except ValidationError as error:
        faults = "\n  ".join(_explain(error))
        raise InputError(
            f"is not a valid study:\n  {faults}\n",
            file=file,
            remedy="see docs/configuration.md for the keys and their meaning.",
        ) from error


def load_study(path: str | Path) -> Study:
    """Read and validate a study file.

    Raises:
        InputError: Naming the file and every faulty key.
    """
    data = load_yaml(path)
    if not isinstance(data, dict):
        raise InputError("is not a mapping of keys to values.", file=path, remedy="start from `nestmat new`.")
    return study_from(data, file=path)
