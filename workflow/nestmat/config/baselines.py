"""Baselines of a scale, and the predictor in use."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from nestmat.config.base import Part
from nestmat.config.competitors import Competitor


class Baseline(Competitor):
    """A model without latents to compare with."""

    kind: Literal[
        "ridge",
        "lasso",
        "nusvr",
        "random_forest",
        "extra_trees",
        "xgboost",
        "gaussian_process",
        "mean",
        "logistic",
        "svm",
        "hist_gradient_boosting",
        "mlp",
        "stump",
    ] = Field(
        description=(
            "Estimator. ridge, lasso and nusvr predict numbers alone; logistic, svm, hist_gradient_boosting, "
            "mlp (an ensemble) and stump (one threshold on one input) predict classes alone; of a class, "
            "mean is its share in the training rows."
        )
    )
    inputs: list[str] = Field(
        description="Feature blocks it reads; `number_of_elements` is one that every formula has."
    )
    options: dict[str, Any] = Field(
        {}, description="Arguments of the estimator that differ from its defaults here."
    )


class Recommended(Part):
    """The predictor that `nestmat predict` uses: models and baselines that are combined."""

    stack: list[str] = Field(min_length=1, description="Models and baselines of the scale that are combined.")
    weights: Literal["learned", "equal"] = Field(
        "learned",
        description=(
            "learned: convex weights that lessen the error (of a class the Brier score) of predictions held "
            "out inside the training rows; equal: the plain mean, a vote, which needs no inner folds."
        ),
    )
    inner_folds: int = Field(
        5, gt=1, description="learned: folds inside the training rows that the weights are learned on."
    )
