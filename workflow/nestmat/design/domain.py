"""Where a model was trained: novelty, applicability domain and geometric windows of candidates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from nestmat.design.members import training_formulas, training_rows
from nestmat.design.problem import Design, distance_to_training
from nestmat.design.spaces import composition_columns
from nestmat.materials.perovskites import OCTAHEDRAL_WINDOW, TAU_LIMIT, TOLERANCE_WINDOW
from nestmat.search.spaces.product import Product


class ApplicabilityDomain:
    """Where a model has been trained: by the kernel density of its training materials.

    Descriptors are standardised and the bandwidth is Scott's. A material is inside where its density is not
    below that of the lowest twentieth of the training materials, each estimated without itself (after Schultz
    et al., npj Comput. Mater. 2025).

    Args:
        descriptors: Descriptors of the training materials, (n, descriptors).
    """

    def __init__(self, descriptors: NDArray[np.float64]):
        # Searches import this module and estimate no density.
        from sklearn.neighbors import KernelDensity
        from sklearn.preprocessing import StandardScaler

        self._scaler = StandardScaler().fit(descriptors)
        points = self._scaler.transform(descriptors)
        n, d = points.shape
        width = n ** (-1.0 / (d + 4))
        self._density = KernelDensity(bandwidth=width).fit(points)
        # Each density is estimated without the material itself: its own kernel is taken out of the sum.
        own_kernel = -0.5 * d * np.log(2 * np.pi) - d * np.log(width) - np.log(n)
        log_density = self._density.score_samples(points)
        without_own = np.log(np.maximum(-np.expm1(own_kernel - log_density), 1e-300))
        left_out = without_own + log_density + np.log(n / (n - 1))
        self.threshold = float(np.quantile(left_out, 0.05))

    def log_density(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Logarithm of the density at descriptors (n, descriptors), (n,)."""
        return self._density.score_samples(self._scaler.transform(x))


WINDOWS = {
    "tolerance_factor": TOLERANCE_WINDOW,
    "octahedral_factor": OCTAHEDRAL_WINDOW,
    "tau": (-np.inf, TAU_LIMIT),
}


DRAWN_VALUES = 100
"""Values of variables without a grid that are tried for each training material."""


def with_novelty_and_domain(design: Design, frame: pd.DataFrame) -> pd.DataFrame:
    """Candidates with their distance from the training materials, and whether they are in the domain.

    Both refer to the finest scale that predicts: ``novelty`` (0 to 1; of the composition, or, where the space
    has none, of all its numbers), ``log_density`` and ``in_domain``.
    """
    x = torch.from_numpy(frame[list(design.space.columns)].to_numpy(np.float64))
    scale = design.scales[0]
    if design.space.composition_factors:
        novelty = distance_to_training(scale, design.space, design.members)(x)[0].numpy()
    else:
        training = _training_numbers(design)
        novelty = np.array([design.space.distance(training, row).min() for row in x.numpy()])
    feature_map = design.surrogate.maps[scale]
    domain = ApplicabilityDomain(
        training_rows(scale, design.members, feature_map.columns).to_numpy(np.float64)
    )
    density = domain.log_density(feature_map(x).numpy())
    return frame.assign(novelty=novelty, log_density=density, in_domain=density >= domain.threshold)


def training_designs(design: Design) -> NDArray[np.float64]:
    """Materials of the space that the finest scale was trained on, with all values of the variables.

    Returns:
        (n, columns); where variables have no grid, or a large one, `DRAWN_VALUES` of them are drawn. In a
        space without composition these are the training rows.
    """
    space = design.space
    if not space.composition_factors:
        return _inside(space, _training_numbers(design))
    fractions = composition_columns(training_formulas(design.scales[0], design.members), space)
    sums = [
        np.sum([fractions[column] for column in factor.columns], axis=0)
        for factor in space.composition_factors
    ]
    inside = np.isclose(sums, 1).all(axis=0)
    materials = pd.DataFrame({column: values[inside] for column, values in fractions.items()})
    for factor in space.other_factors:
        count = factor.n_grid_points
        if count is None or count > DRAWN_VALUES:
            values = factor.sample(DRAWN_VALUES, np.random.default_rng(0))
        else:
            values = factor.from_index(np.arange(count))
        materials = materials.merge(pd.DataFrame(values, columns=list(factor.columns)), how="cross")
    return _inside(space, materials[list(space.columns)].to_numpy(np.float64))


def _training_numbers(design: Design) -> NDArray[np.float64]:
    """Numbers of the space of the rows that the finest scale was trained on, (n, columns)."""
    rows = training_rows(design.scales[0], design.members, design.space.columns)
    return rows.to_numpy(np.float64)


def _inside(space: Product, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Canonical forms of materials (n, columns), without those off the grid or outside the limits."""
    return space.canonical(x[np.isclose(Product.canonical(space, x), x).all(axis=1)])
