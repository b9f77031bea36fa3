"""What all parts of a study's configuration are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]


class Part(BaseModel):
    """A part of a configuration: no key that is not known, no change once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def one_of(part: Part, names: tuple[str, ...]) -> str:
    """Which of some keys is given.

    Raises:
        ValueError: None or several are.
    """
    stated = [name for name in names if getattr(part, name) is not None]
    if len(stated) != 1:
        raise ValueError(f"Exactly one of {', '.join(names)} is needed")
    return stated[0]
