"""Further training rows, labelled by a trained model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nestmat.search.generators.base import most_frequent_value
from nestmat.search.spaces.product import Product


@dataclass(frozen=True)
class PseudoLabelling:
    """Further training rows, labelled by a trained model.

    Training rows are moved at random, and others are drawn uniformly from the space; those on which the
    members of the model agree are kept.

    Attributes:
        rows: Rows to draw.
        uniform: Share of them that is drawn uniformly.
        jitter: Largest standard deviation of what is added to a training row, as a share of each interval.
        spread: Largest standard deviation of the model, in the unit of the quantity.
    """

    rows: int = 200_000
    uniform: float = 0.5
    jitter: float = 0.1
    spread: float = 0.05

    def __call__(
        self,
        space: Product,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        predict: Callable[[Tensor], tuple[Tensor, Tensor]],
        seed: int,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Rows (n, columns) with the predictions of the model, (n,).

        Args:
            space: The materials.
            x: Training rows, (m, columns).
            y: Their quantity, (m,); rows of the most frequent value, a metal's gap of 0, are not moved.
            predict: Mean and standard deviation (n,) of materials (n, columns).
            seed: Seed of all random draws.
        """
        random = np.random.default_rng(seed)
        movable = np.flatnonzero(y != most_frequent_value(y))
        number = self.rows - int(self.uniform * self.rows)
        start = x[random.choice(movable, number)]
        low, high = (np.array([getattr(f, end) for f in space.factors]) for end in ("low", "high"))
        size = self.jitter * random.uniform(size=(number, 1))
        share = (start - low) / (high - low) + size * random.standard_normal(start.shape)
        # Numbers outside of the box are reflected into it.
        share = 1 - np.abs(1 - np.abs(share))
        moved = low + (high - low) * np.clip(share, 0, 1)
        drawn = np.concatenate([moved, space.sample(self.rows - number, [seed, 1])])
        means, stds = [], []
        with torch.no_grad():
            for part in np.array_split(drawn, max(1, len(drawn) // 4096)):
                mean, std = predict(torch.from_numpy(part))
                means.append(mean.double().numpy())
                stds.append(std.double().numpy())
        certain = np.concatenate(stds) <= self.spread
        return drawn[certain], np.concatenate(means)[certain]
