"""YAML files."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from nestmat.errors import InputError

LARGEST_FILE = 1_000_000
"""Bytes of the largest file that is parsed."""
MOST_VALUES = 200_000
"""Keys and values of the largest content, those that an alias repeats counted again."""


class _Loader(yaml.SafeLoader):
    """Plain values alone, and no key twice: of two entries one would be lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """The mapping of a node."""
        keys = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if (key.tag, key.value) in keys:
                problem = f"the key {key.value!r} occurs twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            keys.add((key.tag, key.value))
        return super().construct_mapping(node, deep=deep)


def load_yaml(path: str | Path) -> Any:
    """Parse a YAML file.

    Raises:
        InputError: The file is missing, a folder, not text, empty, not YAML or too large, or has a key twice.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise InputError(
                f"The file has more than {LARGEST_FILE:,} bytes.",
                file=path,
                remedy="name the YAML file of a study; its tables are files of their own.",
            )
        text = content.decode("utf-8-sig")
    except FileNotFoundError as error:
        raise InputError("The file does not exist.", file=path, remedy="check the path.") from error
    except IsADirectoryError as error:
        raise InputError(
            "This is a folder.", file=path, remedy="name the YAML file of the study in it."
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"The file is not text in UTF-8: byte {error.start} cannot be read.",
            file=path,
            remedy="name the YAML file of a study, or save it as UTF-8.",
        ) from error
    except OSError as error:
        raise InputError(
            f"The file cannot be read: {error.strerror}.", file=path, remedy="check the path and its rights."
        ) from error
    return _parse(text, path)


def _parse(text: str, path: Path) -> Any:
    try:
        # Only plain values are constructed: the loader is a SafeLoader.
        data = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise InputError(
            f"The file is not YAML: {_first_sentence(error)}.", file=path, remedy="correct the line named."
        ) from error
    except (RecursionError, ValueError) as error:
        fault = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InputError(
            f"The file is not the YAML of a study: {fault}.", file=path, remedy="start from `nestmat new`."
        ) from error
    if data is None:
        raise InputError("The file is empty.", file=path, remedy="start from `nestmat new`.")
    if not _is_small(data):
        raise InputError(
            f"The file holds more than {MOST_VALUES:,} values, or repeats itself by its aliases.",
            file=path,
            remedy="write out what the aliases stand for; tables are files of their own.",
        )
    return data


def _first_sentence(error: yaml.YAMLError) -> str:
    """The problem with its place, in one line."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return " ".join(str(error).split())
    mark = error.problem_mark
    return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"


def _is_small(content: Any) -> bool:
    """Whether the content has at most `MOST_VALUES` keys and values, also where it holds itself."""
    waiting, count = [content], 0
    while waiting:
        value = waiting.pop()
        count += 1
        if count + len(waiting) > MOST_VALUES:
            return False
        if isinstance(value, dict):
            waiting += [*value, *value.values()]
        elif isinstance(value, list | tuple | set):
            waiting += value
    return True
