"""Baselines of a scale, and the predictor in use."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from nestmat.config.base import Part
from nestmat.config.competitors import Competitor
from nestmat.config.kinds import Choice


class Baseline(Competitor, Choice):
    """A model without latents to compare with; its other keys are the options of its kind."""

    registry: ClassVar[str] = "nestmat.evaluation.estimators.registry:BASELINES"

    kind: str = Field(description="Kind of the estimator.")
    inputs: list[str] = Field(
        description=(
            "Feature blocks it reads; `number_of_elements` is one that every formula has. The name of a "
            "parent scale stands for what the parent's recommended predictor says of its targets."
        )
    )
    transform: Literal["none", "log", "chosen"] = Field(
        "none",
        description=(
            "What it learns of targets that are numbers: none: the numbers; log: their logarithms, for "
            "positive targets; chosen: for each fold what predicts better on folds of its training rows, for "
            "targets that may be skewed."
        ),
    )


class Recommended(Part):
    """The predictor that `nestmat predict` uses: models and baselines that are combined."""

    stack: list[str] = Field(min_length=1, description="Models and baselines of the scale that are combined.")
    weights: Literal["learned", "equal"] = Field(
        "learned",
        description=(
            "learned: convex weights that lessen the error (of a class the log loss) of predictions held "
            "out inside the training rows; equal: the plain mean, a vote, for which nothing is learned."
        ),
    )
