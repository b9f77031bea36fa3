"""Calibration of predicted standard deviations: measures for Gaussian predictive distributions.

Definitions after Gneiting, Balabdaoui and Raftery, J. R. Stat. Soc. B 69, 243 (2007), and Kuleshov, Fenner
and Ermon, ICML (2018).
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

ONE_SIGMA = 2.0 * NormalDist().cdf(1.0) - 1.0
"""Probability of a normal variable within one standard deviation."""

LEVELS = np.round(np.arange(0.05, 1.0, 0.05), 2)
"""Probabilities at which calibration curves are drawn."""

SPREAD_BINS = 10
"""Bins of rows by their spread, in which spreads are compared with errors."""


def coverage(true: np.ndarray, mean: np.ndarray, std: np.ndarray, level: float) -> float:
    """Share of the rows inside the central interval of probability ``level``; arrays (n,).

    Example:
        >>> coverage(np.array([0.9, 2.1, 5.0, 4.0]), np.array([1.0, 2.0, 3.0, 4.0]), np.ones(4), level=0.68)
        0.75
    """
    return float(np.mean(np.abs(true - mean) <= ndtri(0.5 + 0.5 * level) * std))


def miscalibration_area(true: np.ndarray, mean: np.ndarray, std: np.ndarray) -> float:
    """Area between the calibration curve and the diagonal, 0 (perfect) to 0.5.

    The curve is the share of rows below the predicted quantile of probability p, which is the distribution
    function of u = Phi((y - mean) / std). Its step function is integrated exactly.

    Args:
        true: Measured values, (n,).
        mean: Predicted means, (n,).
        std: Predicted standard deviations, (n,).
    """
    u = np.sort(ndtr((true - mean) / std))
    edges = np.concatenate([[0.0], u, [1.0]])
    share = np.arange(len(u) + 1) / len(u)
    above, below = edges[1:] - share, edges[:-1] - share
    return float(0.5 * np.sum(above * np.abs(above) - below * np.abs(below)))


def negative_log_likelihood(true: np.ndarray, mean: np.ndarray, std: np.ndarray) -> float:
    """Mean of -log N(true; mean, std^2), in nats; arrays (n,)."""
    return float(np.mean(0.5 * np.log(2.0 * np.pi * std**2) + 0.5 * ((true - mean) / std) ** 2))


def sharpness(std: np.ndarray) -> float:
    """Root-mean-square predicted standard deviation, in the unit of the target; array (n,)."""
    return float(np.sqrt(np.mean(std**2)))


def continuous_ranked_probability_score(true: np.ndarray, mean: np.ndarray, std: np.ndarray) -> float:
    """Mean of the continuous ranked probability score of normal laws, in the unit of the target.

    Gneiting and Raftery, J. Am. Stat. Assoc. 102, 359 (2007), in closed form; of a spread of zero it is the
    absolute error.

    Args:
        true: Measured values, (n,).
        mean: Predicted means, (n,).
        std: Predicted standard deviations, (n,).
    """
    z = (true - mean) / std
    density = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
    return float(np.mean(std * (z * (2.0 * ndtr(z) - 1.0) + 2.0 * density - 1.0 / np.sqrt(np.pi))))


def expected_normalised_calibration_error(true: np.ndarray, mean: np.ndarray, std: np.ndarray) -> float:
    """Relative difference between spread and error, root mean squares, averaged over bins of the spread.

    Levi, Gispan, Giladi and Fetaya, Sensors 22, 5540 (2022), with `SPREAD_BINS` bins of as many rows each.

    Args:
        true: Measured values, (n,).
        mean: Predicted means, (n,).
        std: Predicted standard deviations, (n,).
    """
    bins = np.array_split(np.argsort(std, kind="stable"), min(SPREAD_BINS, len(std)))
    spreads = np.array([np.sqrt(np.mean(std[rows] ** 2)) for rows in bins])
    errors = np.array([np.sqrt(np.mean((true - mean)[rows] ** 2)) for rows in bins])
    return float(np.mean(np.abs(spreads - errors) / spreads))


def error_spread_correlation(true: np.ndarray, mean: np.ndarray, std: np.ndarray) -> float:
    """Spearman's rank correlation of absolute errors with spreads; NaN where the spread does not vary."""
    if np.ptp(std) == 0 or len(std) < 2:
        return np.nan
    # Series.corr by rank would take SciPy's statistics to import.
    return float(pd.Series(np.abs(true - mean)).rank().corr(pd.Series(std).rank()))


def calibration_metrics(true: np.ndarray, mean: np.ndarray, std: np.ndarray) -> dict[str, float]:
    """All measures by name, over the rows that state a standard deviation; empty where none does."""
    stated = np.isfinite(std) & (std > 0)
    if not stated.any():
        return {}
    true, mean, std = true[stated], mean[stated], std[stated]
    return {
        "coverage_68": coverage(true, mean, std, ONE_SIGMA),
        "coverage_95": coverage(true, mean, std, 0.95),
        "miscalibration_area": miscalibration_area(true, mean, std),
        "nll": negative_log_likelihood(true, mean, std),
        "sharpness": sharpness(std),
        "mean_std": float(np.mean(std)),
        "crps": continuous_ranked_probability_score(true, mean, std),
        "ence": expected_normalised_calibration_error(true, mean, std),
        "error_spread_correlation": error_spread_correlation(true, mean, std),
    }


def calibration_curve(true: np.ndarray, mean: np.ndarray, std: np.ndarray) -> pd.DataFrame:
    """Observed against nominal probability at `LEVELS`.

    Args:
        true: Measured values, (n,).
        mean: Predicted means, (n,).
        std: Predicted standard deviations, (n,).

    Returns:
        Columns level; quantile, the share of rows below the quantile of that probability; interval, the share
        inside the central interval of that probability; rows, their number.
    """
    stated = np.isfinite(std) & (std > 0)
    z = (true - mean)[stated] / std[stated]
    return pd.DataFrame(
        {
            "level": LEVELS,
            "quantile": [np.mean(z <= ndtri(level)) for level in LEVELS],
            "interval": [np.mean(np.abs(z) <= ndtri(0.5 + 0.5 * level)) for level in LEVELS],
            "rows": len(z),
        }
    )
