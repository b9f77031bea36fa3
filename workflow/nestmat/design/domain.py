"""Where a model was trained: novelty, applicability domain and geometric windows of candidates."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from nestmat.config.study import Study
from nestmat.design.members import Members, training_formulas, training_rows
from nestmat.design.spaces import composition_columns, rounded_into
from nestmat.domains.constituents import Constituents
from nestmat.domains.domain import Domain, Materials
from nestmat.domains.verdicts import OUTSIDE, Verdicts, worst_of_chain
from nestmat.errors import InputError
from nestmat.features.differentiable import feature_map
from nestmat.features.feature_map import FeatureMap
from nestmat.materials.perovskites import OCTAHEDRAL_WINDOW, TAU_LIMIT, TOLERANCE_WINDOW
from nestmat.search.problem import Quantities
from nestmat.search.quantities import Distance
from nestmat.search.spaces.product import Product

if TYPE_CHECKING:
    from nestmat.design.problem import Design

_LOG = logging.getLogger(__name__)
WINDOWS = {
    "tolerance_factor": TOLERANCE_WINDOW,
    "octahedral_factor": OCTAHEDRAL_WINDOW,
    "tau": (-np.inf, TAU_LIMIT),
}


DRAWN_VALUES = 100
"""Values of variables without a grid that are tried for each training material."""


class DesignDomain:
    """Verdicts on the materials of a design space: the worst of the searched scale and its ancestors.

    They follow from the numbers of a material, without a formula in between. Where the space lacks what a
    block of a scale needs, which the searched models then do not read either, the distance is taken without
    that block.

    Args:
        study: The study.
        members: The members whose domains are described.
        space: The space.

    Raises:
        InputError: The domains are missing.
    """

    def __init__(self, study: Study, members: Members, space: Product):
        if not members.domains:
            raise InputError(
                "The members come without the domains of their training rows.",
                key="domains",
                remedy="open the design with the input `domains` of its rule.",
            )
        self._space = space
        self._domains = {scale: Domain.read(path) for scale, path in members.domains.items()}
        self._maps = {scale: self._feature_maps(study, scale) for scale in self._domains}

    def _feature_maps(self, study: Study, scale: str) -> list[FeatureMap]:
        """Maps from the numbers of the space to the blocks of a scale that it has."""
        trained, maps = self._domains[scale].blocks, []
        for name, block in study.scales[scale].features.items():
            try:
                maps.append(feature_map({name: block}, {name: trained[name]}, self._space.columns))
            except InputError as error:
                # The blocks that the searched models read were mapped when the problem was built.
                _LOG.info("the domain of %s is taken without its block %s: %s", scale, name, error.message)
        return maps

    def codes(self, x: NDArray[np.float64]) -> NDArray[np.int8]:
        """Verdicts (n,) on materials (n, columns): 0 inside, 1 at the edge, 2 outside."""
        return self.verdicts(x).codes

    def outside(self, x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which materials (n, columns) are outside, (n,)."""
        return self.codes(x) == OUTSIDE

    def quantity(self, x: torch.Tensor, _quantities: Quantities) -> tuple[torch.Tensor, torch.Tensor]:
        """The verdict `codes` (n,) as a quantity of materials (n, columns), without a standard deviation.

        Numbers between the points of the grid have the verdict of the material that they are moved to: a
        mixture on its way holds a little of every species. A verdict has no gradient.
        """
        codes = self.codes(self._space.canonical(x.detach().double().cpu().numpy()))
        value = torch.from_numpy(codes).to(x)
        return value, torch.full_like(value, torch.nan)

    def verdicts(self, x: NDArray[np.float64]) -> Verdicts:
        """Verdicts with their reasons on materials (n, columns)."""
        numbers, by_scale = torch.from_numpy(np.asarray(x, dtype=np.float64)), {}
        for scale, domain in self._domains.items():
            columns: dict[str, NDArray[np.float64]] = {}
            for mapped in self._maps[scale]:
                columns |= dict(zip(mapped.columns, mapped(numbers).numpy().T, strict=True))
            species = self._constituents(numbers.numpy(), domain.by_site)
            by_scale[scale] = domain.verdicts(Materials(len(numbers), columns, species))
        return worst_of_chain(list(by_scale)[-1], by_scale)

    def _constituents(self, x: NDArray[np.float64], by_site: bool) -> Constituents | None:
        """Species of materials (n, columns); None in a space without composition."""
        factors = self._space.composition_factors
        if not factors:
            return None
        place = {name: number for number, name in enumerate(self._space.columns)}
        columns = [column for factor in factors for column in factor.columns]
        present = x[:, [place[column] for column in columns]] > 0
        if by_site:
            return Constituents(tuple(columns), present)
        symbols = [column.rpartition(":")[2] for column in columns]
        distinct = tuple(dict.fromkeys(symbols))
        joined = [present[:, np.array(symbols) == symbol].any(axis=1) for symbol in distinct]
        return Constituents(distinct, np.stack(joined, axis=1))


def distance_to_training(scale: str, space: Product, members: Members) -> Distance:
    """Distance of a material to the nearest one that the members of a scale were trained on.

    Raises:
        InputError: The scale is not one of the searched chain.
    """
    if scale not in members.features:
        raise InputError(
            f"The searched chain has no scale {scale!r}, so it has no training materials of it.",
            key="quantities.training_distance",
            value=scale,
            remedy=f"choose one of {', '.join(members.features)}.",
        )
    return Distance(space, composition_columns(training_formulas(scale, members), space))


def with_novelty_and_domain(design: Design, frame: pd.DataFrame) -> pd.DataFrame:
    """Candidates with their distance from the training materials, and how they stand to the domain.

    ``novelty`` refers to the finest scale that predicts (0 to 1; of the composition, or, where the space
    has none, of all its numbers). ``domain`` is the worst verdict along the chain, ``reason`` its reason.
    """
    numbers = frame[list(design.space.columns)].to_numpy(np.float64)
    scale = design.scales[0]
    if design.space.composition_factors:
        distance = distance_to_training(scale, design.space, design.members)
        novelty = distance(torch.from_numpy(numbers))[0].numpy()
    else:
        training = _training_numbers(design)
        novelty = np.array([design.space.distance(training, row).min() for row in numbers])
    return frame.assign(novelty=novelty, **design.domain.verdicts(numbers).columns())


def training_designs(design: Design) -> NDArray[np.float64]:
    """Materials of the space that the finest scale was trained on, with all values of the variables.

    Returns:
        (n, columns); where variables have no grid, or a large one, `DRAWN_VALUES` of them are drawn. They
        are those that `rounded_into` finds in the space. In a space without composition these are the
        training rows.
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
    x, agrees = rounded_into(materials[list(space.columns)].to_numpy(np.float64), space)
    return pd.DataFrame(x[agrees]).drop_duplicates().to_numpy()


def _training_numbers(design: Design) -> NDArray[np.float64]:
    """Numbers of the space of the rows that the finest scale was trained on, (n, columns)."""
    rows = training_rows(design.scales[0], design.members, design.space.columns)
    return rows.to_numpy(np.float64)


def _inside(space: Product, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Canonical forms of materials (n, columns), without those off the grid or outside the limits."""
    return space.canonical(x[np.isclose(Product.canonical(space, x), x).all(axis=1)])
