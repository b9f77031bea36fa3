"""What a trained chain predicts of the materials of a design space."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from nestmat.errors import InputError
from nestmat.features.feature_map import FeatureMap
from nestmat.materials.geometry import CRITERIA
from nestmat.scales.chain import Chain
from nestmat.search.problem import Quantities
from nestmat.search.quantities import Extra


class Surrogate:
    """Quantities of materials, differentiable.

    They are ``<scale>.<target>``, the geometric criteria by name, and further ones.

    Args:
        chain: The trained chain.
        maps: How the features of each scale follow from the numbers of a material.
        extras: Quantities that follow from a material and from those found before, by name, in order.

    Raises:
        InputError: A scale reads a feature that its map does not give.
    """

    def __init__(
        self, chain: Chain, maps: Mapping[str, FeatureMap], extras: Mapping[str, Extra] | None = None
    ):
        self.chain, self.maps, self.extras = chain, dict(maps), dict(extras or {})
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
        found = self.chain(self._read(values))
        quantities = {
            f"{scale}.{target}": pair
            for scale, output in found.items()
            for target, pair in output.targets.items()
        }
        for scale, features in values.items():
            for k, name in enumerate(self.maps[scale].columns):
                if name in CRITERIA and name not in quantities:
                    quantities[name] = (features[:, k], torch.full_like(features[:, k], torch.nan))
        return self.derive(x, quantities)

    def derive(self, x: Tensor, found: Quantities) -> Quantities:
        """The quantities ``found`` of materials (n, columns), and those that follow from them."""
        quantities = dict(found)
        for name, extra in self.extras.items():
            quantities[name] = extra(x, quantities)
        return quantities

    def _read(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {scale: values[scale][:, place] for scale, place in self._places.items()}

    def encode(self, scale: str, x: Tensor) -> Tensor:
        """Latents (members, n, latents) of one scale of materials (n, columns), differentiable."""
        return self.chain.encode(scale, self._read({name: self.maps[name](x) for name in self._places}))
