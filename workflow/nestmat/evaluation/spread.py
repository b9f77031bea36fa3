"""Standard deviation of a stack's error: what its members state, and what an unlike material adds to it.

Members agree where they know nothing, and the errors that a stack is learned on are of materials like those
that train it. So the variance is a sum of terms: the variance that the members state, their disagreement
included, and what the distance to the training rows and the verdict of the domain add to it. How large the
terms are is learned on rows that were held out at random and on whole regions that were left out
(`nestmat.evaluation.regions`). No term is negative: the spread never falls with the distance. What a finer
scale does not know is in the errors too, as its members left out the same regions.
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
from nestmat.scales.predictions import NORMAL_95

SCALES = ("stated", "everywhere", "distance", "edge", "outside", "unseen")
"""Terms of the variance, by the name of the attribute of `Spread` whose square they have as factor."""
START = np.array([0.0, -3.0, -3.0, -3.0, -3.0, -3.0])
"""Logs of the factors on the terms of the variance at the start of the search: mostly what members state."""
LIMITS = [(-4.0, 4.0), *[(-12.0, 4.0)] * 5]
"""Least and largest log of each factor."""
FEWEST_ROWS = 30
"""Rows of a verdict that its own conformal factor is learned on; fewer share that of the verdict before."""


@dataclass(frozen=True)
class Spread:
    """Standard deviation as a function of what members state and of how a material stands.

    The variance is (stated s)^2 + everywhere^2 + (distance d)^2 + edge^2 + outside^2 + unseen^2, where s is
    the standard deviation that the members state, d the distance to the training rows in units of the one up
    to which materials are inside, and the last three count at the edge and outside, outside, and where a
    species was not seen. All terms but the first are in the unit of the target.

    Attributes:
        stated: Factor on s.
        everywhere: Term of every material.
        distance: Term at a distance of 1.
        edge: Term at the edge of the domain and outside of it.
        outside: Further term outside.
        unseen: Further term of a species that no training row has.
        farthest: Largest d; larger ones count as this.
        factors: Conformal factor on the standard deviation by verdict.
    """

    stated: float
    everywhere: float
    distance: float
    edge: float
    outside: float
    unseen: float
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

        The terms are the posterior mode for errors of Laplace's law, which outliers do not dominate; the
        likelihood counts materials, not rows. The conformal factors have the finite-sample rank of
        split-conformal prediction (Lei et al., J. Am. Stat. Assoc. 113, 1094 (2018)), by verdict (Vovk et
        al., Algorithmic Learning in a Random World (2005)). Errors have longer tails than a normal law: a
        factor is the geometric mean of the two for which 68.3 % of the rows are within one standard
        deviation, and 95 % within 1.96 of them. The ranks are a few lines here: libraries of conformal
        prediction, as MAPIE, wrap estimators that they fit, and take no predictions.

        Args:
            errors: Absolute errors of the stack, (n,).
            stated: Standard deviations that its members state, (n,).
            standing: How the rows stand to those that trained, (n,).
            materials: Material of each row, (n,).
        """
        unit = float(np.mean(errors)) or 1.0
        farthest, count = float(standing.distance.max()), len(np.unique(materials))
        terms, relative = _terms(stated / unit, standing, farthest), np.maximum(errors / unit, 1e-9)

        def objective(logs: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            parts = terms * np.exp(logs)
            variance = np.maximum(parts.sum(axis=1), 1e-18)
            ratio = np.sqrt(2.0) * relative / np.sqrt(variance)
            value = count * np.mean(0.5 * np.log(variance) + ratio) + 0.5 * logs[0] ** 2
            slope = 0.5 * count * np.mean(parts * ((1.0 - ratio) / variance)[:, None], axis=0)
            slope[0] += logs[0]
            return float(value), slope

        best = minimize(objective, START, jac=True, bounds=LIMITS, method="L-BFGS-B").x
        scales = np.exp(0.5 * best) * [1.0, *[unit] * 5]
        spread = cls(
            **dict(zip(SCALES, scales.tolist(), strict=True)),
            farthest=farthest,
            factors=dict.fromkeys(VERDICTS, 1.0),
        )
        return replace(spread, factors=_factors(errors / spread.of(stated, standing), standing.codes))

    def of(self, stated: NDArray[np.float64], standing: Standing) -> NDArray[np.float64]:
        """Standard deviation, (n,), in the unit of the target.

        Args:
            stated: Standard deviations that the members state, (n,).
            standing: How the rows stand to those that trained, (n,).
        """
        scales = [getattr(self, name) for name in SCALES]
        variance = _terms(stated, standing, self.farthest) @ np.square(scales)
        factors = np.array([self.factors[verdict] for verdict in VERDICTS])
        return np.maximum(np.sqrt(variance), np.finfo(np.float64).tiny) * factors[standing.codes]


def _terms(stated: NDArray[np.float64], standing: Standing, farthest: float) -> NDArray[np.float64]:
    """Terms of the variance but for their factors, (n, 6)."""
    terms = [
        stated**2,
        np.ones(len(stated)),
        np.minimum(standing.distance, farthest) ** 2,
        standing.codes >= EDGE,
        standing.codes >= OUTSIDE,
        standing.unseen,
    ]
    return np.column_stack(terms).astype(np.float64)


def _factors(ratios: NDArray[np.float64], codes: NDArray[np.int8]) -> dict[str, float]:
    """Conformal factor of each verdict, of errors over spreads and codes of the verdicts, (n,)."""
    factors, factor = {}, _conformal_factor(ratios)
    for code, verdict in enumerate(VERDICTS):
        if np.sum(codes == code) >= FEWEST_ROWS:
            factor = _conformal_factor(ratios[codes == code])
        factors[verdict] = factor
    return factors


def _conformal_factor(ratios: NDArray[np.float64]) -> float:
    """Factor on spreads between those for which either interval holds, of errors over spreads (n,)."""
    ordered = np.sort(ratios)

    def quantile(level: float) -> float:
        rank = min(int(np.ceil((len(ordered) + 1) * level)), len(ordered)) - 1
        return float(ordered[rank])

    return float(np.sqrt(quantile(ONE_SIGMA) * quantile(0.95) / NORMAL_95))
