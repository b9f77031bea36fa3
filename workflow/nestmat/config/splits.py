"""Protocols of a study: how rows are divided into training and validation folds."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from nestmat.config.base import Part
from nestmat.config.kinds import Choice


class Split(Choice):
    """How rows are divided into training and validation folds; its other keys are the options of its kind."""

    registry: ClassVar[str] = "nestmat.evaluation.splits.registry:SPLITS"

    kind: str = Field(description="How the rows are divided.")
    published: bool = Field(
        False, description="The split of a publication: labelled so in every table and figure."
    )


class Strict(Part):
    """The split shared along the chain: a material validated in fold k trains no scale in fold k."""

    folds: int = Field(5, gt=1, description="Number of folds, the same for every scale.")
    seed: int = Field(0, description="Seed of the assignment of groups to folds.")
    repeats: list[int] = Field([], description="Further seeds.")

    published: ClassVar[bool] = False

    def build(self) -> Any:
        """The shared split of all scales."""
        return Split(kind="shared", **self.model_dump()).build()
