"""Protocols of a study: how rows are divided into training and validation folds."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, model_validator

from nestmat.config.base import Part, Seed
from nestmat.config.kinds import Choice

FOLDS_COLUMNS = ("protocol", "repeat", "row_id", "material", "fold", "role", "inner", "regions")
"""Columns of `nestmat.tables.FOLDS`, which takes pandas and pyarrow to import."""

INNER_FOLDS = Field(
    4,
    gt=1,
    le=100,
    description=(
        "Folds inside the training rows that stacks learn on, where there are fewer than four folds; with "
        "four or more, members leave out pairs of folds."
    ),
)


class Split(Choice):
    """How rows are divided into training and validation folds; its other keys are the options of its kind."""

    registry: ClassVar[str] = "nestmat.evaluation.splits.registry:SPLITS"

    kind: str = Field(description="How the rows are divided.")
    published: bool = Field(
        False, description="The split of a publication: labelled so in every table and figure."
    )
    inner_folds: int = INNER_FOLDS


def check_fold_column(column: str) -> None:
    """Check the name of a column that states folds, which stands beside those of `nestmat.tables.FOLDS`.

    Raises:
        ValueError: nestmat uses the name itself.
    """
    if column in FOLDS_COLUMNS:
        raise ValueError(
            f"The name {column!r} is one that nestmat uses itself; choose another and give the file's name "
            "as header"
        )


class Strict(Part):
    """The split shared along the chain: a material validated in fold k trains no scale in fold k."""

    folds: int | None = Field(
        None,
        gt=1,
        le=1000,
        description="Number of folds, the same for every scale; 5 where no column states them.",
    )
    seed: Seed = Field(0, description="Seed of the assignment of groups to folds.")
    repeats: list[Seed] = Field([], description="Further seeds.")
    column: str | None = Field(
        None,
        description="Category column of every data set of a scale that states the fold of each material.",
    )
    group: str | None = Field(
        None,
        description=(
            "Category column of every data set of a scale, such as a publication or a batch: materials that "
            "share a value are in one fold."
        ),
    )
    inner_folds: int = INNER_FOLDS

    published: ClassVar[bool] = False

    @model_validator(mode="after")
    def _one_source(self) -> Strict:
        if self.column is not None and (self.folds is not None or self.seed or self.repeats or self.group):
            raise ValueError(
                "A column states the folds: folds, seed, repeats and group have no use beside it"
            )
        if self.column is not None:
            check_fold_column(self.column)
        return self

    @property
    def split(self) -> Split:
        """The shared split of all scales as one of a scale."""
        if self.column is not None:
            return Split(kind="shared_column", column=self.column)
        group: dict[str, Any] = {} if self.group is None else {"group": self.group}
        return Split(kind="shared", folds=self.folds or 5, seed=self.seed, repeats=self.repeats, **group)

    def build(self) -> Any:
        """The shared split of all scales."""
        return self.split.build()
