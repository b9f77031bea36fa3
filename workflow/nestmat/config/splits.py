"""Protocols of a study: how rows are divided into training and validation folds."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from nestmat.config.base import Part


class Split(Part):
    """How rows are divided into training and validation folds."""

    kind: Literal["stratified", "kfold", "grouped", "leave_one_out", "shared", "holdout"] = Field(
        description=(
            "stratified: StratifiedKFold on quantile bins of the target; kfold: KFold on rows; "
            "grouped: whole groups; leave_one_out: one fold a level of a column; shared: whole materials, in "
            "the same folds at every scale that has a split of this name, as in strict; holdout: one fold "
            "of test rows, while some of the other rows may hide their labels."
        )
    )
    folds: int | None = Field(
        None,
        gt=1,
        description="Number of folds; leave_one_out takes it from the levels, and a holdout has one.",
    )
    seed: int = Field(0, description="Seed of the split.")
    repeats: list[int] = Field([], description="Further seeds, reported as repeats; choose nothing on them.")
    quantiles: int = Field(10, gt=1, description="stratified: number of quantile bins of the first target.")
    column: str | None = Field(None, description="leave_one_out: the column whose levels are left out.")
    test: float | None = Field(
        None, gt=0, lt=1, description="holdout: share of the rows that validate (train_test_split)."
    )
    hidden: float = Field(
        0.0, ge=0, lt=1, description="holdout: share of the other rows that train without their label."
    )
    unused: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="holdout: share of the hidden rows that take no part, as a publication chose on them.",
    )
    labelled: float | None = Field(
        None,
        gt=0,
        le=1,
        description=(
            "holdout: share of the labelled and hidden rows, without the unused ones, that train with their "
            "label; by default what `hidden` leaves."
        ),
    )
    disjoint: Literal["material", "elements"] | None = Field(
        None,
        description=(
            "holdout: no test row has the material, or the set of elements, of any other row; test rows are "
            "drawn at random by default."
        ),
    )
    published: bool = Field(
        False, description="The split of a publication: labelled so in every table and figure."
    )

    @model_validator(mode="after")
    def _complete(self) -> Split:
        if (self.kind == "leave_one_out") != (self.column is not None):
            raise ValueError("A split of kind leave_one_out needs a column, and no other split has one")
        holdout = self.kind == "holdout"
        if (self.kind == "leave_one_out" or holdout) == (self.folds is not None):
            raise ValueError(
                "A split needs folds, except for kind leave_one_out, which counts the levels, and holdout"
            )
        if holdout != (self.test is not None):
            raise ValueError("A split of kind holdout needs test, and no other split has it")
        if not holdout and (self.hidden or self.unused or self.labelled or self.disjoint):
            raise ValueError("Only a split of kind holdout can have hidden, unused, labelled and disjoint")
        if self.unused and not self.hidden:
            raise ValueError("The share unused is one of the hidden rows; give hidden too")
        if self.kind == "leave_one_out" and self.repeats:
            raise ValueError("A split of kind leave_one_out is the same with every seed; leave repeats out")
        return self


class Strict(Part):
    """The split shared along the chain: a material validated in fold k trains no scale in fold k."""

    folds: int = Field(5, gt=1, description="Number of folds, the same for every scale.")
    seed: int = Field(0, description="Seed of the assignment of groups to folds.")
    repeats: list[int] = Field([], description="Further seeds.")
