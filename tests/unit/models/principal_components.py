"""A plug-in file that adds a scale model: a linear autoencoder, whose latents are principal components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nestmat.models.base import Batch
from nestmat.models.layers import Layout
from nestmat.models.registry import NETWORKS
from nestmat.models.specification import Shapes, Specification, option


@NETWORKS.register("principal_components")
@dataclass(frozen=True, kw_only=True)
class PrincipalComponents(Specification):
    """A linear map of the inputs to latents, and of the latents to the inputs and the targets."""

    target_weight: float = option(1.0, "Weight of the squared error of the targets.", ge=0)

    def network(self, shapes: Shapes, seeds: Sequence[int]) -> LinearNetwork:
        """The linear maps of some members."""
        self.check(shapes)
        return LinearNetwork(self, shapes, seeds)


class LinearNetwork:
    """Encoder, decoder and predictor without hidden layers."""

    def __init__(self, specification: PrincipalComponents, shapes: Shapes, seeds: Sequence[int]):
        self.latents = specification.encoder.latents
        self.blocks = {name: shapes.blocks[name] for name in specification.inputs}
        self.targets = [name for name in specification.heads if name in shapes.targets]
        width = sum(self.blocks.values())
        self.layout = Layout(specification.initialisation)
        self.layout.linear("encoder", width, [self.latents], [1.0])
        self.layout.linear("decoder", self.latents, [width], [1.0])
        self.layout.linear("predictor", self.latents, [len(self.targets)], [1.0])
        self.term_weights = {"reconstruction": 1.0, "prediction": specification.target_weight}
        self.selection_terms = ("prediction",)
        self.flat = self.layout.initial(seeds)

    def _map(self, name: str, x: Tensor) -> Tensor:
        weights = self.layout.views(self.flat)
        return torch.baddbmm(weights[f"{name}.bias"], weights[f"{name}.weight"], x)

    def encode(self, x: Tensor) -> tuple[Tensor, None]:
        """Latents of scaled inputs."""
        return self._map("encoder", x.transpose(1, 2)).transpose(1, 2), None

    def decode(self, z: Tensor) -> dict[str, Tensor]:
        """The blocks of inputs."""
        parts = self._map("decoder", z.transpose(1, 2)).split(list(self.blocks.values()), dim=1)
        return {name: part.transpose(1, 2) for name, part in zip(self.blocks, parts, strict=True)}

    def predict(self, z: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """The targets, without a standard deviation."""
        values = self._map("predictor", z.transpose(1, 2)).unbind(dim=1)
        return {
            name: (value, torch.full_like(value, torch.nan))
            for name, value in zip(self.targets, values, strict=True)
        }

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Squared errors of inputs and targets, (members,) each."""
        z = self._map("encoder", batch.inputs)
        targets = torch.cat([batch.targets[name] for name in self.targets], dim=1)
        errors = {
            "reconstruction": self._map("decoder", z) - batch.inputs,
            "prediction": self._map("predictor", z) - targets,
        }
        return {
            name: (error.square().mean(dim=1) * batch.weight).sum(dim=1) for name, error in errors.items()
        }
