"""The members of one scale in a chain, and what they say of rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from nestmat.scales.predictions import quantity_of
from nestmat.training.checkpoints import Trained

Targets = dict[str, tuple[Tensor, Tensor]]
"""Mean and standard deviation by target."""


class Output(NamedTuple):
    """Latents and predictions of the members of one scale.

    Attributes:
        latents: (members, n, latents).
        targets: Mean and standard deviation of the ensemble by target, in physical units, (n,) each; the
            standard deviation is NaN where a single member states none.
    """

    latents: Tensor
    targets: Targets


class ParentColumn(NamedTuple):
    """A column of what a scale reads from its parent: a latent, or a statistic of a target.

    Attributes:
        latent: Number of the latent; None for a statistic.
        target: The target, or empty.
        statistic: ``mean`` or ``std`` of the target, or empty.
    """

    latent: int | None
    target: str = ""
    statistic: str = ""

    def statistic_of(self, targets: Targets) -> Tensor:
        """The statistic, (n,), among mean and standard deviation by target."""
        return targets[self.target][self.statistic == "std"]


@dataclass(frozen=True)
class Link:
    """Members of one scale.

    Attributes:
        trained: Trained members of the scale.
        index: Those of the chain among them.
        seeds: Their seeds, in order.
        path: File of the weights.
    """

    trained: Trained
    index: np.ndarray
    seeds: np.ndarray
    path: str | Path

    @property
    def parents(self) -> list[str]:
        """Scales whose latents they read."""
        return [name for name in self.trained.specification.inputs if name in self.trained.parents]

    def members_of(self, parent_members: int) -> np.ndarray:
        """Number of the member of a parent that each member reads, (members,)."""
        return self.seeds % parent_members

    def parent_columns(self, parent: str) -> list[ParentColumn]:
        """What they read of a parent whose model has a file of its own."""
        names = self.trained.columns[parent]
        quantities = [quantity_of(name) for name in names]
        return [
            ParentColumn(int(name.removeprefix("z"))) if quantity is None else ParentColumn(None, *quantity)
            for name, quantity in zip(names, quantities, strict=True)
        ]


def split_blocks(trained: Trained, features: Tensor) -> dict[str, Tensor]:
    """Feature blocks that the encoder reads, (n, width) each, of features (n, columns) side by side."""
    widths = [len(columns) for columns in trained.inputs.values()]
    return dict(zip(trained.inputs, features.split(widths, dim=1), strict=True))


def mixture(means: Tensor, stds: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the equal mixture of members (Lakshminarayanan et al. 2017, eq. 3).

    Args:
        means: (members, ...).
        stds: (members, ...), NaN where a member states none.

    Returns:
        Mean, and standard deviation: NaN where one member alone states none.

    Example:
        >>> mean, std = mixture(torch.tensor([[1.0], [3.0]]), torch.zeros(2, 1))
        >>> mean.item(), std.item()
        (2.0, 1.0)
    """
    mean = means.mean(dim=0)
    stated = torch.isfinite(stds.sum(dim=0))
    within = torch.where(stated, stds.nan_to_num(0.0).square().mean(dim=0), 0.0)
    variance = (means - mean).square().mean(dim=0) + within
    # The slope of the root is endless where members agree.
    std = (variance + 1e-30).sqrt()
    return mean, std if len(means) > 1 else torch.where(stated, std, torch.nan)


def mixtures(predicted: Targets) -> Targets:
    """`mixture` of each target."""
    return {name: mixture(means, stds) for name, (means, stds) in predicted.items()}
