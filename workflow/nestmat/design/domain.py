"""Where a model was trained: novelty, applicability domain and geometric windows of candidates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.neighbors import KernelDensity
from sklearn.preprocessing import StandardScaler

from nestmat.design.members import training_formulas, training_rows
from nestmat.design.problem import Design, distance_to_training
from nestmat.design.spaces import composition_columns
from nestmat.materials.perovskites import OCTAHEDRAL_WINDOW, TAU_LIMIT, TOLERANCE_WINDOW
from nestmat.search.spaces.product import Product
from nestmat.search.spaces.simplex import Simplex


class ApplicabilityDomain:
    """Where a model has seen materials: by the kernel density of what it was trained on.

    Descriptors are standardised and the bandwidth is Scott's. A material is inside where its density is not
    below that of the lowest twentieth of the training materials, each estimated without itself (after Schultz
    et al., npj Comput. Mater. 2025).

    Args:
        known: Descriptors of the training materials, (n, descriptors).
    """

    def __init__(self, known: NDArray[np.float64]):
        self._scaler = StandardScaler().fit(known)
        points = self._scaler.transform(known)
        n, d = points.shape
        width = n ** (-1.0 / (d + 4))
        self._density = KernelDensity(bandwidth=width).fit(points)
        # Without itself: its own kernel is taken out of the sum.
        own = -0.5 * d * np.log(2 * np.pi) - d * np.log(width) - np.log(n)
        both = self._density.score_samples(points)
        rest = np.log(np.maximum(-np.expm1(own - both), 1e-300)) + both + np.log(n / (n - 1))
        self.threshold = float(np.quantile(rest, 0.05))

    def log_density(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Logarithm of the density at descriptors (n, descriptors), (n,)."""
        return self._density.score_samples(self._scaler.transform(x))


WINDOWS = {
    "tolerance_factor": TOLERANCE_WINDOW,
    "octahedral_factor": OCTAHEDRAL_WINDOW,
    "tau": (-np.inf, TAU_LIMIT),
}


DRAWN = 100
"""Values of variables without a grid that are tried for each training material."""


def with_novelty_and_domain(design: Design, frame: pd.DataFrame) -> pd.DataFrame:
    """Candidates with their distance to what was trained on, and whether a model has seen their like.

    Both are of the finest scale that predicts: ``novelty`` (0 to 1; of the composition, or, where the space
    has none, of all its numbers), ``log_density`` and ``in_domain``.
    """
    x = torch.from_numpy(frame[list(design.space.columns)].to_numpy(np.float64))
    scale = design.scales[0]
    if design.space.composition_factors:
        novelty = distance_to_training(scale, design.space, design.members)(x)[0].numpy()
    else:
        known = _known_numbers(design)
        novelty = np.array([design.space.distance(known, row).min() for row in x.numpy()])
    feature_map = design.surrogate.maps[scale]
    domain = ApplicabilityDomain(
        training_rows(scale, design.members, feature_map.columns).to_numpy(np.float64)
    )
    density = domain.log_density(feature_map(x).numpy())
    return frame.assign(novelty=novelty, log_density=density, in_domain=density >= domain.threshold)


def training_designs(design: Design) -> NDArray[np.float64]:
    """Materials of the space that the finest scale was trained on, with all values of its variables.

    Returns:
        (n, columns); where variables have no grid, or a large one, `DRAWN` values of them are drawn. Of a
        space without composition they are the training rows.
    """
    space = design.space
    if not space.composition_factors:
        return _inside(space, _known_numbers(design))
    shares = composition_columns(training_formulas(design.scales[0], design.members), space)
    sites = space.composition_factors
    sums = [np.sum([shares[column] for column in site.columns], axis=0) for site in sites]
    inside = np.isclose(sums, 1).all(axis=0)
    known = pd.DataFrame({column: values[inside] for column, values in shares.items()})
    others = [factor for factor in space.factors if not isinstance(factor, Simplex)]
    for factor in others:
        count = factor.n_grid_points
        if count is None or count > DRAWN:
            values = factor.sample(DRAWN, np.random.default_rng(0))
        else:
            values = factor.from_index(np.arange(count))
        known = known.merge(pd.DataFrame(values, columns=list(factor.columns)), how="cross")
    return _inside(space, known[list(space.columns)].to_numpy(np.float64))


def _known_numbers(design: Design) -> NDArray[np.float64]:
    """Numbers of the space of the rows that the finest scale was trained on, (n, columns)."""
    rows = training_rows(design.scales[0], design.members, design.space.columns)
    return rows.to_numpy(np.float64)


def _inside(space: Product, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Materials (n, columns) in their one form, without those off the grid or outside the limits."""
    return space.canonical(x[np.isclose(Product.canonical(space, x), x).all(axis=1)])
