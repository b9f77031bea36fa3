"""Transforms of targets that are numbers: learned are they or their logarithms, standardised."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nestmat.errors import InputError

Numbers = NDArray[np.float64]
Transform = Literal["none", "log", "chosen"]
"""What estimators learn: the numbers, their logarithms, or the better of the two."""

COMPARED_ROWS = 3000
"""Most rows that both are compared on."""
COMPARED_FOLDS = 3
"""Folds of these rows that each is predicted on."""


def build_transformer(transform: Transform, scaler: Any, x: Numbers, y: Numbers, seed: int) -> Any:
    """An unfitted transformer of targets (n, 1).

    Args:
        transform: What estimators learn.
        scaler: Transformer of numbers, where their logarithm is not taken.
        x: Inputs of the training rows, (n, d).
        y: Targets of the training rows, (n,).
        seed: Seed of all that is random.

    Raises:
        InputError: The logarithm is asked for of a target that is not positive.
    """
    if transform == "none" or (transform == "chosen" and not log_is_better(x, y, seed)):
        return scaler
    if (y <= 0).any():
        raise InputError(
            "A target that is not positive has no logarithm.",
            key="transform",
            value=float(y.min()),
            remedy="use transform: none or transform: chosen.",
        )
    return _standardised_log()


def log_is_better(x: Numbers, y: Numbers, seed: int) -> bool:
    """Whether the logarithm of a target is predicted better than the target, in the unit of the target.

    Positive targets whose logarithms are more probable under a normal distribution (Box & Cox, J. R. Stat.
    Soc. B 26, 211 (1964)) are compared on folds of the training rows, by the mean absolute error of a small
    forest: a skewed target need not have skewed errors.

    Args:
        x: Inputs, (n, d).
        y: Targets, (n,).
        seed: Seed of the folds and of the forest.

    Example:
        >>> x = np.linspace(0.0, 1.0, 60)[:, None]
        >>> log_is_better(x, 1e-9 * np.exp(10.0 * x[:, 0]), seed=0), log_is_better(x, x[:, 0], seed=0)
        (True, False)
    """
    from scipy.stats import boxcox_llf
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.model_selection import KFold, cross_val_score
    from sklearn.preprocessing import StandardScaler

    if len(y) < 2 * COMPARED_FOLDS or (y <= 0).any() or np.ptp(y) == 0:
        return False
    if boxcox_llf(0.0, y) <= boxcox_llf(1.0, y):
        return False
    rows = np.random.default_rng(seed).permutation(len(y))[:COMPARED_ROWS]
    forest = ExtraTreesRegressor(100, max_features="sqrt", random_state=seed)
    folds = KFold(COMPARED_FOLDS, shuffle=True, random_state=seed)
    plain, logarithmic = (
        cross_val_score(
            TransformedTargetRegressor(forest, transformer=transformer),
            x[rows],
            y[rows],
            cv=folds,
            scoring="neg_mean_absolute_error",
        ).mean()
        for transformer in (StandardScaler(), _standardised_log())
    )
    return bool(logarithmic > plain)


def learned_uncertainty(transformer: Any, y: Numbers, uncertainty: Numbers) -> Numbers:
    """Standard uncertainties in the unit that is learned in, (n,): from a target to one uncertainty above it.

    Args:
        transformer: Unfitted transformer of targets (n, 1).
        y: Targets of the training rows, (n,).
        uncertainty: Their standard uncertainties, (n,).

    Example:
        >>> from sklearn.preprocessing import StandardScaler
        >>> learned_uncertainty(StandardScaler(), np.array([0.0, 4.0]), np.array([1.0, 3.0]))
        array([0.5, 1.5])
    """
    from sklearn.base import clone

    fitted = clone(transformer).fit(y[:, None])
    above = fitted.transform((y + uncertainty)[:, None])
    return (above - fitted.transform(y[:, None]))[:, 0]


def _standardised_log() -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    return make_pipeline(FunctionTransformer(np.log, np.exp), StandardScaler())
