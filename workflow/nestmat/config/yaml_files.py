"""YAML files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from nestmat.errors import InputError


def load_yaml(path: str | Path) -> Any:
    """Parse a YAML file.

    Raises:
        InputError: The file is missing, empty or not YAML.
    """
    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError("The file does not exist.", file=path, remedy="check the path.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(
            f"The file is not YAML: {error}", file=path, remedy="correct the line named."
        ) from error
    if data is None:
        raise InputError("The file is empty.", file=path, remedy="start from `nestmat new`.")
    return data
