"""Choice of the parameters of an estimator inside its training rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sklearn.model_selection import StratifiedKFold

SEARCH_TYPES = (
    "sklearn.metrics._regression.mean_absolute_error",
    "sklearn.metrics._scorer._Scorer",
    "sklearn.model_selection._split.KFold",
)
"""What a fitted search of `tune_regressor` holds, see `BaselineKind.stored_types`."""
CLASS_FOLDS = 5
"""Folds that classifiers are calibrated or tuned on, where each class has so many training rows."""


def bound_folds(estimator: Any, most: int) -> Any:
    """The estimator with at most some number of folds wherever it divides its training rows.

    Args:
        estimator: Unfitted estimator; searches and calibrations in it name their folds ``cv``.
        most: Largest number of folds: the training rows, or those of the rarest class.
    """
    for name, folds in estimator.get_params(deep=True).items():
        if name.rpartition("__")[2] == "cv" and getattr(folds, "n_splits", 0) > most:
            folds.n_splits = most
    return estimator


def class_folds(seed: int) -> StratifiedKFold:
    """Folds of training rows, with each class in the same share.

    Args:
        seed: Seed of the order of the rows.
    """
    from sklearn.model_selection import StratifiedKFold

    return StratifiedKFold(CLASS_FOLDS, shuffle=True, random_state=seed)


def tune_regressor(
    estimator: Any, grid: list[dict[str, list[Any]]], options: Mapping[str, Any], folds: int, seed: int
) -> Any:
    """The estimator with the parameters of lowest mean absolute error on folds of its training rows.

    Args:
        estimator: Unfitted estimator of numbers.
        grid: Parameters to choose from: the product of the lists of each part.
        options: Parameters that replace those of the grid: values, or lists of values to choose from.
        folds: Number of folds.
        seed: Seed of the folds.

    Returns:
        A search over the grid; the estimator itself where no choice is left.
    """
    from sklearn.model_selection import GridSearchCV, KFold, ParameterGrid

    fixed = {name: value if isinstance(value, list) else [value] for name, value in options.items()}
    grid = [{**part, **fixed} for part in grid]
    first, *alternatives = ParameterGrid(grid)
    if all(parameters == first for parameters in alternatives):
        return estimator.set_params(**first)
    inside = KFold(folds, shuffle=True, random_state=seed)
    return GridSearchCV(estimator, grid, cv=inside, scoring="neg_mean_absolute_error")
