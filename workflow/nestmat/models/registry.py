"""The network that a specification asks for."""

from __future__ import annotations

from collections.abc import Sequence

from nestmat.models.autoencoder import Autoencoder, Shapes
from nestmat.models.semi_supervised import SemiSupervisedAutoencoder
from nestmat.models.specification import Model


def network(
    specification: Model, shapes: Shapes, seeds: Sequence[int]
) -> Autoencoder | SemiSupervisedAutoencoder:
    """The network of some members, with first weights.

    Args:
        specification: What it is made of.
        shapes: Widths of blocks, and targets.
        seeds: Seed of the first weights of each member, (members,).
    """
    kind = Autoencoder if specification.semi_supervised is None else SemiSupervisedAutoencoder
    return kind(specification, shapes, seeds)
