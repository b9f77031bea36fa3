"""What a trained chain predicts of the materials of a design space."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from nestmat.errors import InputError
from nestmat.scales.chain import Chain
from nestmat.search.features import CRITERIA, FeatureMap
from nestmat.search.problem import Quantities


class Surrogate:
    """Quantities of materials, differentiable: ``<scale>.<target>``, and the geometric criteria by name.

    Args:
        chain: The trained chain.
        maps: How the features of each scale follow from the numbers of a material.

    Raises:
        InputError: A scale reads a feature that its map does not give.
    """

    def __init__(self, chain: Chain, maps: Mapping[str, FeatureMap]):
        self.chain, self.maps = chain, dict(maps)
        self._places = {}
        for scale, columns in chain.columns.items():
            given = {name: k for k, name in enumerate(self.maps[scale].columns)}
            if lacking := [name for name in columns if name not in given]:
                raise InputError(
                    f"reads {', '.join(lacking)}, which the design space does not give.",
                    column=f"scales.{scale}",
                    remedy="search with the models of the study that the space was made for.",
                )
            self._places[scale] = torch.tensor([given[name] for name in columns])

    def __call__(self, x: Tensor) -> Quantities:
        """Mean and standard deviation (n,) of each quantity of materials (n, columns)."""
        values = {scale: self.maps[scale](x) for scale in self._places}
        found = self.chain({scale: values[scale][:, place] for scale, place in self._places.items()})
        quantities = {
            f"{scale}.{target}": pair
            for scale, output in found.items()
            for target, pair in output.targets.items()
        }
        for scale, features in values.items():
            for k, name in enumerate(self.maps[scale].columns):
                if name in CRITERIA and name not in quantities:
                    quantities[name] = (features[:, k], torch.full_like(features[:, k], torch.nan))
        return quantities
