"""Keys that are spelt nearly as one that a study may not have."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel


def near_keys(owner: type, path: Sequence[str | int]) -> list[str]:
    """Keys that may stand in the place of the last of a path, and are spelt nearly as it is.

    Args:
        owner: Pydantic model or dataclass that the path starts in.
        path: Keys, places in lists and names of a fault that pydantic reports.

    Example:
        >>> from nestmat.config.splits import Strict
        >>> near_keys(Strict, ["fold"])
        ['folds']
    """
    owners = {owner}
    for step in path[:-1]:
        annotations = [keys[step] for keys in map(_annotations, owners) if step in keys]
        # Names of entries, places in lists and forms of a union lead into the same parts.
        if annotations:
            owners = {part for annotation in annotations for part in _parts_in(annotation)}
    names = sorted({name for part in owners for name in _annotations(part)})
    return difflib.get_close_matches(str(path[-1]), names, n=2)


def _annotations(owner: type) -> dict[Any, Any]:
    if issubclass(owner, BaseModel):
        return {name: field.annotation for name, field in owner.model_fields.items()}
    return typing.get_type_hints(owner)


def _parts_in(annotation: Any) -> Iterator[type]:
    """Models and dataclasses in an annotation; a dataclass may stand for one of its subclasses, by kind."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        yield annotation
        for subclass in annotation.__subclasses__():
            yield from _parts_in(subclass)
    for argument in typing.get_args(annotation):
        yield from _parts_in(argument)
