"""Parent and child autoencoders trained together, end to end through the latents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from nestmat.models.base import Batch, Network
from nestmat.models.layers import Perceptrons
from nestmat.models.specification import Shapes, Specification


class JointPart(Network, Protocol):
    """What a network needs for a joint training; `Specification.trains_jointly` states whether it has it.

    Attributes:
        specification: What it is made of.
        shapes: Widths of its blocks, and its targets.
        encoder: Inputs to latents, its output ``latents``.
    """

    specification: Specification
    shapes: Shapes
    encoder: Perceptrons

    @property
    def weights(self) -> dict[str, Tensor]:
        """The parameters by name, members first."""


@dataclass(frozen=True)
class JointBatch:
    """Rows of the child and of its parents at one step.

    Attributes:
        child: Rows of the child; its inputs leave out the blocks of the parents.
        parents: Rows of each parent scale.
        features: Scaled inputs of each parent's encoder for the rows of ``child``, (members, features, n).
    """

    child: Batch
    parents: Mapping[str, Batch]
    features: Mapping[str, Tensor]


class JointModel:
    """A child and its parents: the child's loss also trains the parents' encoders.

    Args:
        child: The child; each parent is one of its input blocks, as wide as the parent's latents.
        parents: The parents by name.
    """

    def __init__(self, child: JointPart, parents: Mapping[str, JointPart]):
        self.child, self.parents = child, dict(parents)
        self.models = [child, *self.parents.values()]
        self.sizes = [model.layout.size for model in self.models]
        self.flat = torch.cat([model.flat for model in self.models], dim=1)
        self.term_weights = dict(child.term_weights)
        for name, parent in self.parents.items():
            self.term_weights |= {f"{name}.{term}": w for term, w in parent.term_weights.items()}
        self.selection_terms = child.selection_terms
        own = (name for name in child.specification.inputs if name not in self.parents)
        self.own_widths = [child.shapes.blocks[name] for name in own]

    def share(self) -> None:
        """Give each model its part of ``flat``."""
        for model, part in zip(self.models, self.flat.split(self.sizes, dim=1), strict=True):
            model.flat = part

    def _inputs(self, own: Tensor, live: Mapping[str, Tensor]) -> Tensor:
        parts = iter(own.split(self.own_widths, dim=1) if self.own_widths else ())
        return torch.cat(
            [live[name] if name in live else next(parts) for name in self.child.specification.inputs], dim=1
        )

    def loss(self, batch: JointBatch) -> dict[str, Tensor]:
        """Terms of the child, then of each parent as ``<parent>.<term>``, (members,) each."""
        self.share()
        live: dict[str, Tensor] = {}
        terms: dict[str, Tensor] = {}
        for name, parent in self.parents.items():
            weights = parent.weights
            live[name] = parent.encoder(batch.features[name], weights, batch.child.noise)["latents"]
            terms |= {f"{name}.{term}": value for term, value in parent.loss(batch.parents[name]).items()}
        # A parent that is pulled towards what the child can reconstruct would shrink its latents to a point.
        targets = {**batch.child.targets, **{name: z.detach() for name, z in live.items()}}
        child = replace(batch.child, inputs=self._inputs(batch.child.inputs, live), targets=targets)
        return self.child.loss(child) | terms
