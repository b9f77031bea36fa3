"""Distance of materials to the nearest training material."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat.domains.verdicts import EDGE, OUTSIDE, Finding

REFERENCE_ROWS = 4000
"""Most training rows that distances are measured to, so that a hundred thousand rows take seconds."""
INSIDE_SHARE = 0.95
"""Share of the training materials that count as inside when each is left out."""
OUTSIDE_FACTOR = 2.0
"""Distance that is outside, as a multiple of the one up to which materials are inside."""
NEAR = 0.17
"""Distance within which a material is never at the edge: twice this, in standard deviations of an evenly
spread input, is a tenth of its range, which is not yet outside either."""
_BATCH = 1024
_PERCENT = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True)
class TrainingDistance:
    """Euclidean distance to the nearest training row, over inputs divided by their standard deviation.

    The scale of the distance comes from the training materials: each row of the reference is left out with
    all rows of its material, and its distance to the nearest row of another material is taken, a material
    weighing as much as any other whatever its number of rows. Up to the 95th percentile of these distances a
    material is **inside**: as near to the data as all but the twentieth part of the data themselves. Beyond
    twice that it is **outside**: a material could stand half way that would itself be at the edge from both
    sides, so that two steps of the longest usual kind lead from the data to it. Between them is the **edge**.
    Where the data are so dense that the percentile is less than `NEAR`, that takes its place.

    A threshold on the distance to the nearest neighbours, its scale from the training set, is the domain of
    Sheridan et al., J. Chem. Inf. Comput. Sci. 44, 1912 (2004), and of Sahigara et al., J. Cheminform. 5, 27
    (2013); Schultz et al., npj Comput. Mater. (2025), take a kernel density in its place. One neighbour is
    used, not several, since all rows of a material are one neighbour, and so that a reader can name it.

    Attributes:
        reference: Rows that distances are measured to, inputs in their units, (rows, inputs): at most
            `REFERENCE_ROWS`, drawn so that every material has one before any has two.
        spread: Standard deviation of each input, (inputs,). Constant inputs are left out.
        percentiles: Percentiles 0 to 100 of the distances left out, (101,); empty where they tell nothing, as
            of a single material.
    """

    reference: pd.DataFrame
    spread: Mapping[str, float]
    percentiles: list[float]

    @classmethod
    def of(cls, inputs: pd.DataFrame, materials: pd.Series, seed: int = 0) -> TrainingDistance:
        """Of the rows of a training set.

        Args:
            inputs: Inputs of the rows, (n, inputs).
            materials: Material of each row, (n,).
            seed: Seed of the draw of the reference.
        """
        rows = np.random.default_rng(seed).permutation(len(inputs))
        turn = materials.iloc[rows].groupby(materials.iloc[rows]).cumcount().to_numpy()
        chosen = np.sort(rows[np.argsort(turn, kind="stable")[:REFERENCE_ROWS]])
        reference, materials = inputs.iloc[chosen], materials.iloc[chosen]
        weight = 1.0 / materials.map(materials.value_counts()).to_numpy()
        mean = np.average(reference, axis=0, weights=weight)
        spread = np.sqrt(np.average((reference - mean) ** 2, axis=0, weights=weight))
        varies = spread > 1e-9 * np.abs(reference).max(axis=0).to_numpy()
        reference = reference.loc[:, varies]
        distance = cls(reference, dict(zip(map(str, reference), spread[varies].tolist(), strict=True)), [])
        if materials.nunique() < 2 or not distance.spread:
            return distance
        numbers, _ = pd.factorize(materials)
        apart = distance.nearest(reference, exclude=numbers)
        percentiles = _weighted_quantiles(apart, weight, _PERCENT)
        return cls(reference, distance.spread, percentiles.tolist())

    @classmethod
    def of_facts(cls, reference: pd.DataFrame, facts: Mapping[str, Any]) -> TrainingDistance:
        """From the reference and `facts`."""
        return cls(reference[list(facts["spread"])], **facts)

    def facts(self) -> dict[str, Any]:
        """All but the reference, as plain values."""
        return {"spread": dict(self.spread), "percentiles": self.percentiles}

    @cached_property
    def limit(self) -> float:
        """Distance up to which a material is inside."""
        return max(self.percentiles[round(100 * INSIDE_SHARE)], NEAR) if self.percentiles else np.inf

    @cached_property
    def _scaled(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Centre and spread of the inputs, (inputs,), and the reference in these units, (rows, inputs)."""
        reference, spread = self.reference[list(self.spread)].to_numpy(np.float64), [*self.spread.values()]
        centre = reference.mean(axis=0)
        return centre, np.array(spread), (reference - centre) / spread

    def nearest(
        self, inputs: Mapping[str, Any] | pd.DataFrame, exclude: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """Distance of rows to the nearest row of the reference, (n,).

        Args:
            inputs: Inputs of the rows by name, (n,) each. Where some are missing the distance is taken over
                the others, and is a lower bound.
            exclude: Material of each row, (n,), where the rows are those of the reference: rows of the same
                material do not count.
        """
        places = [place for place, name in enumerate(self.spread) if name in inputs]
        names = [name for name in self.spread if name in inputs]
        centre, spread, reference = (values[..., places] for values in self._scaled)
        x = np.stack([np.asarray(inputs[name], dtype=np.float64) for name in names], axis=1)
        x = (x - centre) / spread
        squares, squared = np.square(reference).sum(axis=1), np.empty(len(x))
        for start in range(0, len(x), _BATCH):
            rows = slice(start, start + _BATCH)
            gaps = squares - 2.0 * x[rows] @ reference.T
            if exclude is not None:
                gaps[exclude[rows, None] == exclude] = np.inf
            squared[rows] = gaps.min(axis=1) + np.square(x[rows]).sum(axis=1)
        return np.sqrt(np.maximum(squared, 0.0))

    def measure(
        self, inputs: Mapping[str, Any] | pd.DataFrame, rows: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Distance of some rows to the nearest row of the reference, (n,); 0 of others, and without a limit.

        Args:
            inputs: Inputs of the rows by name, (n,) each.
            rows: Rows to look at, (n,).
        """
        apart = np.zeros(len(rows))
        measured = {name: np.asarray(inputs[name])[rows] for name in self.spread if name in inputs}
        if self.percentiles and measured:
            apart[rows] = self.nearest(measured)
        return apart

    def finding(self, apart: NDArray[np.float64]) -> Finding:
        """How rows stand at their distances, (n,)."""
        codes = EDGE * (apart > self.limit) + (OUTSIDE - EDGE) * (apart > OUTSIDE_FACTOR * self.limit)

        def reason(row: int) -> str:
            share = int(np.searchsorted(self.percentiles, apart[row])) - 1
            if share >= 100:
                return "farther from every training material than any of them is from the next"
            return f"farther from every training material than {share} % of them are from the next"

        return Finding(codes.astype(np.int8), reason)


def _weighted_quantiles(
    values: NDArray[np.float64], weights: NDArray[np.float64], shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Smallest values that hold at least some shares of the weight, (shares,)."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    places = np.searchsorted(total, shares * total[-1] * (1 - 1e-12))
    return values[order][np.minimum(places, len(values) - 1)]
