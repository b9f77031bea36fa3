"""Predictions of a trained chain for the materials of a design space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from nestmat.errors import InputError
from nestmat.features.feature_map import FeatureMap
from nestmat.materials.geometry import CRITERIA
from nestmat.scales.chain import Chain
from nestmat.search.problem import Problem, Quantities
from nestmat.search.quantities import Extra
from nestmat.search.spaces.product import Product


class Surrogate:
    """Quantities of materials, differentiable.

    They are ``<scale>.<target>``, the geometric criteria by name, and derived quantities.

    Args:
        chain: The trained chain.
        maps: Map from the numbers of a material to the features of each scale.
        extras: Derived quantities by name, in order: each follows from a material and the preceding ones.

    Raises:
        InputError: A scale reads a feature that its map lacks.
    """

    def __init__(
        self, chain: Chain, maps: Mapping[str, FeatureMap], extras: Mapping[str, Extra] | None = None
    ):
        self.chain, self.maps, self.extras = chain, dict(maps), dict(extras or {})
        self._places = {}
        for scale, columns in chain.columns.items():
            place = {name: k for k, name in enumerate(self.maps[scale].columns)}
            if missing := [name for name in columns if name not in place]:
                raise InputError(
                    f"The scale {scale!r} reads {', '.join(missing)}, which the design space lacks.",
                    key=f"scales.{scale}",
                    remedy="search with the models of the study that the space was made for.",
                )
            self._places[scale] = torch.tensor([place[name] for name in columns])

    def __call__(self, x: Tensor) -> Quantities:
        """Mean and standard deviation (n,) of each quantity of materials (n, columns)."""
        values = {scale: self.maps[scale](x) for scale in self._places}
        quantities = {**self._predict(x, values)}
        for scale, features in values.items():
            for k, name in enumerate(self.maps[scale].columns):
                if name in CRITERIA and name not in quantities:
                    quantities[name] = (features[:, k], torch.full_like(features[:, k], torch.nan))
        return self.derive(x, quantities)

    def _predict(self, _x: Tensor, values: Mapping[str, Tensor]) -> Quantities:
        """``<scale>.<target>`` of materials, of which the values are the features of each scale."""
        predicted = self.chain.targets(self._select(values))
        return {
            f"{scale}.{target}": pair
            for scale, targets in predicted.items()
            for target, pair in targets.items()
        }

    def derive(self, x: Tensor, quantities: Quantities) -> Quantities:
        """Quantities of materials (n, columns), with those that are derived from them."""
        complete = dict(quantities)
        for name, extra in self.extras.items():
            complete[name] = extra(x, complete)
        return complete

    def _select(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {scale: values[scale][:, place] for scale, place in self._places.items()}

    def inputs(self, x: Tensor) -> Tensor:
        """What the models read of materials (n, columns), (n, inputs)."""
        values = {scale: self.maps[scale](x) for scale in self._places}
        return torch.cat([*self._select(values).values()], dim=1)

    def encode(self, scale: str, x: Tensor) -> Tensor:
        """Latents (members, n, latents) of one scale of materials (n, columns), differentiable."""
        return self.chain.encode(scale, self._select({name: self.maps[name](x) for name in self._places}))


class Predictor(Protocol):
    """A predictor that takes the place of a trained chain."""

    def __call__(self, x: Tensor) -> Quantities:
        """Mean and standard deviation (n,) of ``<scale>.<target>`` of materials (n, columns)."""

    def inputs(self, x: Tensor) -> Tensor:
        """What it reads of materials (n, columns), (n, inputs)."""


class PredictedSurrogate(Surrogate):
    """The surrogate of a chain, with quantities that another predictor states in place of the chain's.

    Args:
        surrogate: Surrogate of the chain, whose latents, criteria and derived quantities are used.
        predictor: The predictor.
    """

    def __init__(self, surrogate: Surrogate, predictor: Predictor):
        super().__init__(surrogate.chain, surrogate.maps, surrogate.extras)
        self.predictor = predictor

    def _predict(self, x: Tensor, values: Mapping[str, Tensor]) -> Quantities:
        return self.predictor(x)

    def inputs(self, x: Tensor) -> Tensor:
        """What the predictor reads of materials (n, columns), (n, inputs)."""
        return self.predictor.inputs(x)


def chain_and_space(problem: Problem) -> tuple[Surrogate, Product]:
    """The trained chain that predicts the materials of a problem, and their space.

    Args:
        problem: A design problem.

    Raises:
        InputError: Another predictor than a trained chain is searched, or the space has no factors.
    """
    surrogate, space = problem.predict, problem.space
    if not isinstance(surrogate, Surrogate) or not isinstance(space, Product):
        raise InputError(
            "A search in latents needs a trained chain that predicts the materials of a product of factors.",
            key="search",
            remedy="search with the models of a study, or with another method.",
        )
    return surrogate, space
