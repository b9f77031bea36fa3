"""Generative models of the materials of a space under a condition: training, samples, files."""

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
from nestmat.search.generators.base import CURVE, TrainingOptions, even_weights, most_frequent_value
from nestmat.search.spaces.product import Product

Density = ConditionalFlow | Invertible | MixtureDensity

SLOPE = 1.7
"""A logistic variable over this is about standard normal, so that uniform numbers become normal ones."""
HELD_OUT_ROWS = 1024
"""Rows that a point of the learning curve is the mean of."""
LARGEST_GRADIENT = 5.0


class Condition(nn.Module):
    """What a network is told of a value: the value, standardised, and whether it is one that many rows share.

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
        # NaN: no value is told apart, for it equals none.
        self.register_buffer("atom", torch.tensor(torch.nan))

    @property
    def width(self) -> int:
        """Numbers that a value becomes."""
        return 1 + self.indicators

    def fit(self, y: NDArray[np.float64]) -> None:
        """Take mean, standard deviation and the most frequent value of (n,)."""
        self.mean.fill_(y.mean())
        self.std.fill_(y.std() or 1.0)
        self.atom.fill_(most_frequent_value(y))

    def forward(self, y: Tensor) -> Tensor:
        """What the network is told, (n, width), of values (n,)."""
        told = [(y - self.mean) / self.std]
        if self.indicators:
            told.append((y == self.atom).float())
        return torch.stack(told, dim=1).float()


class DensityGenerator(nn.Module):
    """A network with coordinates of the space and a condition, as a `GenerativeModel`.

    Args:
        space: The materials: numbers in intervals.
        options: Sizes and training.
        seed: Seed of weights and batches.
        make: The network of features, conditions, options and seed.
        indicators: As for `Condition`.

    Raises:
        InputError: The space has other parts than intervals.
    """

    network: Density

    def __init__(
        self,
        space: Product,
        options: TrainingOptions,
        seed: int,
        make: Callable[[int, int, Any, int], Density],
        indicators: bool = True,
    ):
        super().__init__()
        if not all(f.is_interval and not f.periodic for f in space.factors):
            raise InputError(
                "A density of numbers needs a space of numbers in intervals that are not periodic.",
                key="space",
                remedy="choose conditional_vae, which handles compositions, levels and periodic numbers.",
            )
        self.space, self.options, self.seed = space, options, seed
        self.condition = Condition(indicators)
        self.network = make(len(space.columns), self.condition.width, options, seed)

    def coordinates(self, x: NDArray[np.float64]) -> Tensor:
        """What the network sees of materials (n, columns), float32."""
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
        held = int(options.held_out * len(x))
        u, value = self.coordinates(x).to(device), torch.from_numpy(y).to(device)
        told = self.condition(value)
        rows, out = order[held:], self._held_out(order[:held], y, random)
        often = torch.from_numpy(even_weights(y[rows]))
        optimiser = torch.optim.Adam(self.parameters(), lr=options.rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, options.rate, total_steps=options.steps, pct_start=0.05
        )
        every, curve, seen = max(1, options.steps // CURVE), [], []
        for step in range(1, options.steps + 1):
            drawn = torch.multinomial(often, options.batch, replacement=True, generator=random)
            batch = torch.from_numpy(rows)[drawn].to(device)
            noise = torch.randn(options.batch, u.shape[1], generator=random).to(device)
            loss = self.network.loss(u[batch] + options.jitter * noise, told[batch], random)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.parameters(), LARGEST_GRADIENT)
            optimiser.step()
            schedule.step()
            seen.append(loss.detach())
            if step % every == 0:
                curve.append((step, "train", float(torch.stack(seen).mean())))
                if not np.isfinite(curve[-1][2]):
                    raise InputError(
                        "diverged.", column="generative", value=curve[-1][2], remedy="choose a smaller rate."
                    )
                if len(out):
                    # Noise of its own, so that looking does not change the training.
                    quiet = torch.Generator().manual_seed(self.seed)
                    with torch.no_grad():
                        left = self.network.loss(u[out], told[out], quiet)
                    curve.append((step, "held out", float(left)))
                seen = []
        self.to("cpu")
        return pd.DataFrame(curve, columns=["step", "split", "loss"])

    @staticmethod
    def _held_out(rows: NDArray[np.int64], y: NDArray[np.float64], random: torch.Generator) -> Tensor:
        """Rows of the learning curve, drawn evenly over the condition as those of a step are."""
        if not len(rows):
            return torch.empty(0, dtype=torch.int64)
        often = torch.from_numpy(even_weights(y[rows]))
        drawn = torch.multinomial(often, HELD_OUT_ROWS, replacement=True, generator=random)
        return torch.from_numpy(rows)[drawn]

    @torch.no_grad()
    def sample(self, value: float, n: int, seed: int) -> NDArray[np.float64]:
        """Materials (n, columns); as `GenerativeModel.sample`."""
        random = torch.Generator().manual_seed(seed)
        told = self.condition(torch.full((n,), value, dtype=torch.float64))
        return self._materials(self.network.sample(told, random))
