"""Geometric criteria of ABX3 perovskites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from nestmat.features.block import BlockColumns, BlockKind, SpaceColumns, compute_by_formula
from nestmat.features.registry import BLOCKS
from nestmat.materials import geometry
from nestmat.materials.geometry import CRITERIA, SITES

if TYPE_CHECKING:
    from torch import Tensor

    from nestmat.features.differentiable import SpaceNumbers
    from nestmat.features.rows import Rows
    from nestmat.materials.formulas import Formula


@BLOCKS.register("perovskite")
@dataclass(frozen=True)
class Perovskite(BlockKind):
    """Tolerance factor, octahedral factor and tau.

    Attributes:
        argument: Tolerance factor, octahedral factor and tau.
    """

    argument: Literal[True] = True

    def compute(self, rows: Rows, levels: Sequence[str] | None) -> BlockColumns:
        """See `perovskite_criteria`."""
        return perovskite_criteria(rows.formulas)

    def map_numbers(self, numbers: SpaceNumbers) -> SpaceColumns:
        """The criteria of mean radii and of the mean charge on A, over the shares of the space."""
        from nestmat.features.blocks.site_descriptors import PROPERTIES, property_weights
        from nestmat.features.feature_map import Derived, weight_matrix
        from nestmat.materials import ions

        means = [property_weights(PROPERTIES[site][0], site, numbers) for site in SITES]
        charges = {
            number: float(ions.ion(number.partition(":")[2]).charge) for number in numbers.starting_with("A:")
        }
        matrix = weight_matrix(numbers.columns, [*means, charges])

        def criteria(x: Tensor) -> Tensor:
            """Criteria (n, 3) of materials (n, numbers)."""
            import torch

            a, b, anion, charge = (x @ matrix.to(x)).unbind(dim=1)
            return torch.stack(
                [
                    geometry.tolerance_factor(a, b, anion),
                    geometry.octahedral_factor(b, anion),
                    geometry.tau(a, b, anion, charge, torch),
                ],
                dim=1,
            )

        return SpaceColumns({name: {} for name in CRITERIA}, (Derived(CRITERIA, None, criteria),))


def perovskite_criteria(formulas: Sequence[Formula | None]) -> BlockColumns:
    """Tolerance factor, octahedral factor and tau, from fraction-weighted radii and charges.

    tau is NaN where the A ion is not larger than the B ion.

    Args:
        formulas: One a row; a row of None stays NaN.
    """
    from nestmat.materials import perovskites

    def means(formula: Formula) -> list[float]:
        of_sites = perovskites.site_means(formula)
        return [*(of_sites.radius[site] for site in SITES), of_sites.charge["A"]]

    of_rows = compute_by_formula(formulas, [*SITES, "charge"], [""] * 4, means)
    a, b, x, charge = of_rows.values.T
    values = np.column_stack(
        [
            perovskites.tolerance_factor(a, b, x),
            perovskites.octahedral_factor(b, x),
            perovskites.tau(a, b, x, charge),
        ]
    )
    return BlockColumns(list(CRITERIA), values, [""] * 3, of_rows.faults)
