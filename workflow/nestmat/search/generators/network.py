"""Generators that learn a density of the numbers of a material under a condition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nestmat.errors import InputError
from nestmat.models.flow import ConditionalFlow
from nestmat.models.invertible import Invertible
from nestmat.models.mixture_density import MixtureDensity
from nestmat.search.generators.base import CURVE, DensityOptions, even_weights, most_frequent_value
from nestmat.search.spaces.product import Product

Density = ConditionalFlow | Invertible | MixtureDensity

SLOPE = 1.7
"""A logistic variable over this is about standard normal, so that uniform numbers become normal ones."""
HELD_OUT_ROWS = 1024
"""Rows that a point of the learning curve is the mean of."""
LARGEST_GRADIENT = 5.0


class Condition(nn.Module):
    """Inputs of a network for a value: the value, standardised, and whether it is one that many rows share.

    Args:
        indicators: Whether values that many rows share have an indicator.
    """

    mean: Tensor
    std: Tensor
    atom: Tensor

    def __init__(self, indicators: bool):
        super().__init__()
        self.indicators = indicators
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("std", torch.ones(()))
        # NaN, which equals no value: no value has an indicator.
        self.register_buffer("atom", torch.tensor(torch.nan))

    @property
    def width(self) -> int:
        """Number of inputs for a value."""
        return 1 + self.indicators

    def fit(self, y: NDArray[np.float64]) -> None:
        """Take mean, standard deviation and the most frequent value of (n,)."""
        self.mean.fill_(y.mean())
        self.std.fill_(y.std() or 1.0)
        self.atom.fill_(most_frequent_value(y))

    def forward(self, y: Tensor) -> Tensor:
        """Inputs (n, width) for values (n,)."""
        inputs = [(y - self.mean) / self.std]
        if self.indicators:
            inputs.append((y == self.atom).float())
        return torch.stack(inputs, dim=1).float()


class DensityGenerator(nn.Module):
    """A density of coordinates of the space under a condition, as a `GenerativeModel`.

    Args:
        space: The materials: numbers in intervals.
        options: Sizes and training.
        seed: Seed of weights and batches.
        build_density: Returns the network for numbers of features and conditions, options and seed.
        indicators: As for `Condition`.

    Raises:
        InputError: The space has other factors than intervals.
    """

    network: Density

    def __init__(
        self,
        space: Product,
        options: DensityOptions,
        seed: int,
        build_density: Callable[[int, int, Any, int], Density],
        indicators: bool = True,
    ):
        super().__init__()
        options.check_space(space)
        self.space, self.options, self.seed = space, options, seed
        self.condition = Condition(indicators)
        self.network = build_density(len(space.columns), self.condition.width, options, seed)

    def coordinates(self, x: NDArray[np.float64]) -> Tensor:
        """Coordinates of materials (n, columns) for the network, float32."""
        bounded = self.options.coordinates == "bounded"
        return torch.from_numpy(self.space.to_free(x) / SLOPE if bounded else np.asarray(x)).float()

    def _materials(self, u: Tensor) -> NDArray[np.float64]:
        bounded = self.options.coordinates == "bounded"
        return (self.space.from_free(SLOPE * u.double()) if bounded else u.double()).numpy()

    def fit(self, x: NDArray[np.float64], y: NDArray[np.float64], device: torch.device) -> pd.DataFrame:
        """Train; as `GenerativeModel.fit`.

        Raises:
            InputError: The training diverged.
        """
        options, random = self.options, torch.Generator().manual_seed(self.seed)
        self.condition.fit(y)
        self.to(device)
        order = torch.randperm(len(x), generator=random).numpy()
        n_held_out = int(options.held_out * len(x))
        u = self.coordinates(x).to(device)
        conditions = self.condition(torch.from_numpy(y).to(device))
        rows, held_out = order[n_held_out:], self._held_out(order[:n_held_out], y, random)
        weights = torch.from_numpy(even_weights(y[rows]))
        optimiser = torch.optim.Adam(self.parameters(), lr=options.rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, options.rate, total_steps=options.steps, pct_start=0.05
        )
        interval, curve, losses = max(1, options.steps // CURVE), [], []
        for step in range(1, options.steps + 1):
            drawn = torch.multinomial(weights, options.batch, replacement=True, generator=random)
            batch = torch.from_numpy(rows)[drawn].to(device)
            noise = torch.randn(options.batch, u.shape[1], generator=random).to(device)
            loss = self.network.loss(u[batch] + options.jitter * noise, conditions[batch], random)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.parameters(), LARGEST_GRADIENT)
            optimiser.step()
            schedule.step()
            losses.append(loss.detach())
            if step % interval == 0:
                curve.append((step, "train", float(torch.stack(losses).mean())))
                if not np.isfinite(curve[-1][2]):
                    raise InputError(
                        f"The training of the generator diverged after {step} steps.",
                        key="rate",
                        value=options.rate,
                        remedy="choose a smaller rate.",
                    )
                if len(held_out):
                    curve.append((step, "held out", self._loss(u[held_out], conditions[held_out])))
                losses = []
        self.to("cpu")
        return pd.DataFrame(curve, columns=["step", "split", "loss"])

    @torch.no_grad()
    def _loss(self, u: Tensor, conditions: Tensor) -> float:
        # Random numbers of its own, so that the learning curve does not change the training.
        return float(self.network.loss(u, conditions, torch.Generator().manual_seed(self.seed)))

    @staticmethod
    def _held_out(rows: NDArray[np.int64], y: NDArray[np.float64], random: torch.Generator) -> Tensor:
        """Rows of the learning curve, drawn evenly over the condition as those of a step are."""
        if not len(rows):
            return torch.empty(0, dtype=torch.int64)
        weights = torch.from_numpy(even_weights(y[rows]))
        drawn = torch.multinomial(weights, HELD_OUT_ROWS, replacement=True, generator=random)
        return torch.from_numpy(rows)[drawn]

    @torch.no_grad()
    def sample(self, value: float, n: int, seed: int) -> NDArray[np.float64]:
        """Materials (n, columns); as `GenerativeModel.sample`."""
        random = torch.Generator().manual_seed(seed)
        conditions = self.condition(torch.full((n,), value, dtype=torch.float64))
        return self._materials(self.network.sample(conditions, random))
