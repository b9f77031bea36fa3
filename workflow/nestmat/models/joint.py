"""Parent and child autoencoders trained together, end to end through the latents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nestmat.models.autoencoder.network import Autoencoder
from nestmat.models.base import Batch


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

    def __init__(self, child: Autoencoder, parents: Mapping[str, Autoencoder]):
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

    def encode(self, x: Mapping[str, Tensor]) -> tuple[Tensor, None]:
        """Latents of the child, (members, n, latents).

        Args:
            x: Under the name of each parent its scaled inputs, and under ``child`` the child's own ones,
                (members, n, features) each.
        """
        self.share()
        live = {name: parent.encode(x[name])[0].transpose(1, 2) for name, parent in self.parents.items()}
        return self.child.encode(self._inputs(x["child"].transpose(1, 2), live).transpose(1, 2))

    def decode(self, z: Tensor) -> dict[str, Tensor]:
        """Blocks of the child."""
        self.share()
        return self.child.decode(z)

    def predict(self, z: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """Targets of the child."""
        self.share()
        return self.child.predict(z)

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
