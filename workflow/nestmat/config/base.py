"""What all parts of a study's configuration are made of."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, Strict

LONGEST_NAME = 64
"""Letters of the longest name: file names are made of up to three, and hold 255 bytes."""
NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9_]*$"
Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=LONGEST_NAME)]


Value = TypeVar("Value")
Pair = Annotated[tuple[Value, Value], Strict(False)]
"""Two values, which YAML writes as a list."""
LARGEST_SEED = 2**32 - 1
"""Largest seed that NumPy and scikit-learn take, and largest whole number of a study."""
Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]


class Part(BaseModel):
    """A part of a configuration: no key that is not known, no change once it is read.

    A text is no number, and neither true nor 2.0 is a whole number.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def one_of(part: Part, names: tuple[str, ...]) -> str:
    """Which of some keys is given.

    Raises:
        ValueError: None or several are.
    """
    stated = [name for name in names if getattr(part, name) is not None]
    if len(stated) != 1:
        raise ValueError(f"Exactly one of {', '.join(names)} is needed")
    return stated[0]
