"""Standard deviation of a stack's error: what its members state, corrected by how far a material is.

Members agree where they know nothing, and the errors that a stack is learned on are of materials like those
that train it. So the spread is a function of the spread that the members state, their disagreement included,
and of how a material stands to the training rows: its distance, and whether it is inside, at the edge or
outside of the domain. It is learned on rows that were held out at random and on whole regions that were left
out (`nestmat.evaluation.regions`), and never narrows with the distance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from nestmat.domains.standing import Standing
from nestmat.domains.verdicts import EDGE, OUTSIDE, VERDICTS
from nestmat.evaluation.calibration import ONE_SIGMA

TWO_SIGMA = 0.95
"""Probability of the interval of `NORMAL_95` standard deviations."""
NORMAL_95 = 1.959964
PRIOR = np.array([0.0, 1.0, 0.0, 0.0, 0.0])
"""Coefficients that hold where nothing speaks against them: the spread is what the members state."""
PRIOR_SPREAD = np.array([np.inf, 1.0, 1.0, 1.0, 1.0])
"""Standard deviation of each coefficient around `PRIOR`."""
LIMITS = [(None, None), (0.0, 2.0), (0.0, 2.0), (0.0, 3.0), (0.0, 3.0)]
"""Least and largest value of each coefficient: the spread never falls with the distance."""
FEWEST_ROWS = 30
"""Rows of a verdict that its own factor is learned on; fewer share that of the verdicts before it."""


@dataclass(frozen=True)
class Spread:
    """The spread as a function: log of it = level + power log s + distance log(1 + d) + steps of the verdict.

    Here s is the spread that the members state, with their disagreement, and d the distance to the training
    rows in units of the one up to which materials are inside.

    Attributes:
        level: Log of the spread in the unit of the target where s is 1 and a material is inside at distance
            0.
        power: Exponent of s.
        distance: Exponent of 1 + d.
        edge: Log of the factor beyond the inside of the domain.
        outside: Log of the further factor outside of it.
        smallest: Least s; smaller ones count as this.
        farthest: Largest d; larger ones count as this.
        factors: Conformal factor by verdict.
    """

    level: float
    power: float
    distance: float
    edge: float
    outside: float
    smallest: float
    farthest: float
    factors: Mapping[str, float]

    @classmethod
    def learn(
        cls,
        errors: NDArray[np.float64],
        stated: NDArray[np.float64],
        standing: Standing,
        materials: NDArray[Any],
    ) -> Spread:
        """Learn from the errors of held-out rows.

        The coefficients are the posterior mode for errors of Laplace's law, a convex problem that outliers do
        not dominate; the likelihood counts materials, not rows. The factors have the finite-sample rank of
        split-conformal prediction (Vovk, Gammerman & Shafer 2005; Lei et al., J. Am. Stat. Assoc. 113, 1094
        (2018)), by verdict (Vovk, Lindsay & Nouretdinov 2003): at least 68.3 % of the rows are within one
        standard deviation, and 95 % within 1.96 of them. They are a few lines here: libraries of conformal
        prediction, as MAPIE, wrap estimators that they fit, and take no predictions.

        Args:
            errors: Absolute errors of the stack, (n,).
            stated: Spread that its members state, (n,).
            standing: How the rows stand to those that trained, (n,).
            materials: Material of each row, (n,).
        """
        smallest, farthest = float(max(np.quantile(stated, 0.01), 1e-12)), float(standing.distance.max())
        inputs = _inputs(stated, standing, smallest, farthest)
        unit = float(np.mean(errors)) or 1.0
        relative, count = np.maximum(errors / unit, 1e-9), len(np.unique(materials))
        shift = inputs[:, 1].mean()
        centred = inputs - np.array([0.0, shift, 0.0, 0.0, 0.0])

        def objective(coefficients: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            log_scale = centred @ coefficients
            ratio = np.sqrt(2.0) * relative * np.exp(-log_scale)
            away = (coefficients - PRIOR) / PRIOR_SPREAD
            value = count * np.mean(log_scale + ratio) + 0.5 * np.sum(away**2)
            slope = count * ((1.0 - ratio) @ centred) / len(centred) + away / PRIOR_SPREAD
            return float(value), slope

        best = minimize(objective, PRIOR, jac=True, bounds=LIMITS, method="L-BFGS-B").x
        level, power, distance, edge, outside = best.tolist()
        level += np.log(unit) - power * shift
        plain = dict.fromkeys(VERDICTS, 1.0)
        spread = cls(level, power, distance, edge, outside, smallest, farthest, plain)
        return replace(spread, factors=_factors(errors / spread.of(stated, standing), standing.codes))

    def of(self, stated: NDArray[np.float64], standing: Standing) -> NDArray[np.float64]:
        """Standard deviation, (n,), in the unit of the target.

        Args:
            stated: Spread that the members state, (n,).
            standing: How the rows stand to those that trained, (n,).
        """
        inputs = _inputs(stated, standing, self.smallest, self.farthest)
        log_scale = inputs @ np.array([self.level, self.power, self.distance, self.edge, self.outside])
        factors = np.array([self.factors[verdict] for verdict in VERDICTS])
        return np.exp(log_scale) * factors[standing.codes]


def _inputs(
    stated: NDArray[np.float64], standing: Standing, smallest: float, farthest: float
) -> NDArray[np.float64]:
    """Terms of the log of the spread, (n, 5)."""
    columns = [
        np.ones(len(stated)),
        np.log(np.maximum(stated, smallest)),
        np.log1p(np.minimum(standing.distance, farthest)),
        standing.codes >= EDGE,
        standing.codes >= OUTSIDE,
    ]
    return np.column_stack(columns).astype(np.float64)


def _factors(ratios: NDArray[np.float64], codes: NDArray[np.int8]) -> dict[str, float]:
    """Conformal factor of each verdict, of errors over spreads and codes of the verdicts, (n,)."""
    factors, factor = {}, _conformal_factor(ratios)
    for code, verdict in enumerate(VERDICTS):
        if np.sum(codes == code) >= FEWEST_ROWS:
            factor = _conformal_factor(ratios[codes == code])
        factors[verdict] = factor
    return factors


def _conformal_factor(ratios: NDArray[np.float64]) -> float:
    """Least factor on spreads for which both intervals hold, of errors over spreads (n,)."""
    ordered = np.sort(ratios)

    def quantile(level: float) -> float:
        rank = min(int(np.ceil((len(ordered) + 1) * level)), len(ordered)) - 1
        return float(ordered[rank])

    return max(quantile(ONE_SIGMA), quantile(TWO_SIGMA) / NORMAL_95)
