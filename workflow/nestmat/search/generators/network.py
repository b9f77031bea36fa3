"""Generative models of the materials of a space under a condition: training, samples, files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd
import safetensors
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from nestmat import tables
from nestmat.errors import InputError
from nestmat.files import replacing
from nestmat.models.flow import ConditionalFlow, FlowSettings
from nestmat.models.invertible import Invertible, InvertibleSettings
from nestmat.models.mixture_density import MixtureDensity, MixtureSettings
from nestmat.search.generators.conditional_vae import ConditionalVAE, NetworkSettings
from nestmat.search.spaces.product import Interval, Product

Density = ConditionalFlow | Invertible | MixtureDensity

SLOPE = 1.7
"""A logistic variable over this is about standard normal, so that uniform numbers become normal ones."""
ATOM = 0.05
"""Share of the rows from which on a single value of the condition has an indicator of its own."""
BINS = 40
"""Equal bins of the condition over which training rows are drawn evenly."""
CURVE = 50
"""Points of a learning curve."""
HELD_OUT_ROWS = 1024
"""Rows that a point of the learning curve is the mean of."""
LARGEST_GRADIENT = 5.0

HISTORY: tables.Schema = {
    "seed": tables.Column("int32", description="seed of the network"),
    "step": tables.Column("int32", description="steps of the optimiser"),
    "split": tables.Column("string", description="train, or held out of the training rows"),
    "loss": tables.Column("float64", description="mean over the rows; nats where the model is a density"),
}


class GenerativeModel(Protocol):
    """Draws materials that have a value of one quantity."""

    def fit(self, x: NDArray[np.float64], y: NDArray[np.float64], device: torch.device) -> pd.DataFrame:
        """Train.

        Args:
            x: Materials, (n, columns).
            y: The quantity of each, (n,).
            device: Where to train; the model is left on the CPU.

        Returns:
            Learning curve: the columns of `HISTORY` without the seed.
        """

    def sample(self, value: float, n: int, seed: int) -> NDArray[np.float64]:
        """At most n materials, (n, columns), that should have a value; some may leave the space."""

    def state_dict(self) -> dict[str, Tensor]:
        """All that is needed to draw, by name."""

    def load_state_dict(self, state: Mapping[str, Tensor]) -> Any:
        """Take what `state_dict` gave."""


@dataclass(frozen=True)
class Fitting:
    """How a network is trained.

    Attributes:
        steps: Steps of Adam.
        batch: Rows a step, drawn evenly over the range of the condition.
        rate: Largest step size, of a single cycle (Smith & Topin, arXiv:1708.07120).
        jitter: Standard deviation of noise added to the coordinates: rows that share a number exactly would
            have an endless density.
        held_out: Share of the rows that is left out, for the learning curve.
        coordinates: bounded: numbers are mapped onto the reals by the logit of their place in the interval,
            and no sample leaves the space; raw: they stay as they are, as in MatDesINNe.
    """

    steps: int = 2000
    batch: int = 512
    rate: float = 2e-3
    jitter: float = 0.02
    held_out: float = 0.1
    coordinates: Literal["bounded", "raw"] = "bounded"


@dataclass(frozen=True)
class FlowOptions(Fitting, FlowSettings):
    """Sizes and training of a conditional flow; see `FlowSettings` and `Fitting`."""


@dataclass(frozen=True)
class InvertibleOptions(Fitting, InvertibleSettings):
    """Sizes and training of an invertible network; see `InvertibleSettings` and `Fitting`."""

    transform: Literal["affine", "spline"] = "affine"
    blocks: int = 6
    width: int = 256
    layers: int = 1


@dataclass(frozen=True)
class MixtureOptions(Fitting, MixtureSettings):
    """Sizes and training of a mixture density network; see `MixtureSettings` and `Fitting`."""


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
        self.atom.fill_(_atom(y))

    def forward(self, y: Tensor) -> Tensor:
        """What the network is told, (n, width), of values (n,)."""
        told = [(y - self.mean) / self.std]
        if self.indicators:
            told.append((y == self.atom).float())
        return torch.stack(told, dim=1).float()


class Network(nn.Module):
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
        options: Fitting,
        seed: int,
        make: Callable[[int, int, Any, int], Density],
        indicators: bool = True,
    ):
        super().__init__()
        if not all(isinstance(f, Interval) and not f.periodic for f in space.factors):
            raise InputError(
                "has other parts than numbers in intervals.",
                column="space",
                remedy="use a conditional_vae, which knows shares and levels.",
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
        often = torch.from_numpy(_evenly(y[rows]))
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
        often = torch.from_numpy(_evenly(y[rows]))
        drawn = torch.multinomial(often, HELD_OUT_ROWS, replacement=True, generator=random)
        return torch.from_numpy(rows)[drawn]

    @torch.no_grad()
    def sample(self, value: float, n: int, seed: int) -> NDArray[np.float64]:
        """Materials (n, columns); as `GenerativeModel.sample`."""
        random = torch.Generator().manual_seed(seed)
        told = self.condition(torch.full((n,), value, dtype=torch.float64))
        return self._materials(self.network.sample(told, random))


def _atom(y: NDArray[np.float64]) -> float:
    """The most frequent value of (n,) where many share it; else NaN."""
    values, counts = np.unique(y, return_counts=True)
    return float(values[counts.argmax()]) if counts.max() > ATOM * len(y) else np.nan


def _evenly(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights (n,) that draw rows evenly over the range of ``y``; rare values not quite as often."""
    counts, edges = np.histogram(y, bins=BINS)
    place = np.clip(np.digitize(y, edges) - 1, 0, BINS - 1)
    return 1.0 / np.maximum(counts[place], len(y) / (10 * BINS))


class Variational(ConditionalVAE):
    """A conditional variational autoencoder, for a space of any parts.

    Args:
        space: The materials.
        options: Sizes and training.
        seed: Seed of all that is drawn.
    """

    def __init__(self, space: Product, options: NetworkSettings, seed: int):
        super().__init__(space, 1, options, seed)

    def fit(self, x: NDArray[np.float64], y: NDArray[np.float64], device: torch.device) -> pd.DataFrame:  # type: ignore[override]
        """Train, on the CPU: the network is small; as `GenerativeModel.fit`."""
        self.standardise(y[:, None])
        curve = super().fit(x, y[:, None], _evenly(y), self.settings.steps)
        every = max(1, len(curve) // CURVE)
        steps = range(every, len(curve) + 1, every)
        means = [(step, "train", float(np.mean(curve[step - every : step]))) for step in steps]
        return pd.DataFrame(means, columns=["step", "split", "loss"])

    def sample(self, value: float, n: int, seed: int) -> NDArray[np.float64]:  # type: ignore[override]
        """Materials (n, columns) on the grid; as `GenerativeModel.sample`."""
        self.draw_anew(seed)
        return super().sample(np.full((n, 1), value), n)


@dataclass(frozen=True)
class RetrievalOptions:
    """Which training rows are given back.

    Attributes:
        width: Largest difference of their quantity from the value asked for, in its unit.
    """

    width: float = 0.05


class Retrieval(nn.Module):
    """No model: the training rows that have the value, each once.

    Args:
        space: The materials.
        options: Which rows.
        seed: Not used: the draw has a seed of its own.
    """

    def __init__(self, space: Product, options: RetrievalOptions, seed: int):
        super().__init__()
        self.options = options
        self.register_buffer("x", torch.empty(0, len(space.columns), dtype=torch.float64))
        self.register_buffer("y", torch.empty(0, dtype=torch.float64))

    def fit(self, x: NDArray[np.float64], y: NDArray[np.float64], device: torch.device) -> pd.DataFrame:
        """Keep the rows; as `GenerativeModel.fit`, with an empty curve."""
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y)
        return pd.DataFrame(columns=["step", "split", "loss"])

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:  # type: ignore[override]
        """Take the rows."""
        self.x, self.y = state["x"], state["y"]

    def sample(self, value: float, n: int, seed: int) -> NDArray[np.float64]:
        """At most n rows, without repetition; as `GenerativeModel.sample`."""
        near = np.flatnonzero(np.abs(self.y.numpy() - value) <= self.options.width)
        return self.x.numpy()[np.random.default_rng(seed).permutation(near)[:n]]


@dataclass(frozen=True)
class UniformOptions:
    """There are none."""


class Uniform(nn.Module):
    """No model: materials drawn uniformly from the space.

    Args:
        space: The materials.
        options: None.
        seed: Not used: the draw has a seed of its own.
    """

    def __init__(self, space: Product, options: UniformOptions, seed: int):
        super().__init__()
        self.space = space

    def fit(self, x: NDArray[np.float64], y: NDArray[np.float64], device: torch.device) -> pd.DataFrame:
        """Nothing to train; as `GenerativeModel.fit`, with an empty curve."""
        return pd.DataFrame(columns=["step", "split", "loss"])

    def sample(self, value: float, n: int, seed: int) -> NDArray[np.float64]:
        """Materials (n, columns), whatever the value."""
        return self.space.sample(n, seed)


def _flow(space: Product, options: FlowOptions, seed: int) -> Network:
    return Network(space, options, seed, ConditionalFlow)


def _invertible(space: Product, options: InvertibleOptions, seed: int) -> Network:
    # What the network is told has to be a target that it gives as well: the value alone.
    return Network(space, options, seed, Invertible, indicators=False)


def _mixture(space: Product, options: MixtureOptions, seed: int) -> Network:
    return Network(space, options, seed, MixtureDensity)


KINDS: Mapping[str, tuple[type, Callable[..., Any]]] = {
    "flow": (FlowOptions, _flow),
    "invertible": (InvertibleOptions, _invertible),
    "mixture_density": (MixtureOptions, _mixture),
    "conditional_vae": (NetworkSettings, Variational),
    "retrieval": (RetrievalOptions, Retrieval),
    "uniform": (UniformOptions, Uniform),
}
"""Options and constructor of each kind; the constructor takes space, options and seed."""


@dataclass(frozen=True)
class Teacher:
    """Further rows for the training, with what a trained model says of them.

    Rows of the training data are moved at random, and others drawn uniformly from the space; those that the
    members of the model agree on are kept.

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
        """Rows (n, columns) with what the model says of them, (n,).

        Args:
            space: The materials.
            x: Training rows, (m, columns).
            y: Their quantity, (m,); rows of the most frequent value, a metal's gap of 0, are not moved.
            predict: Mean and standard deviation (n,) of materials (n, columns).
            seed: Seed of all that is drawn.
        """
        random = np.random.default_rng(seed)
        worth = np.flatnonzero(y != _atom(y))
        number = self.rows - int(self.uniform * self.rows)
        start = x[random.choice(worth, number)]
        low, high = (np.array([getattr(f, end) for f in space.factors]) for end in ("low", "high"))
        size = self.jitter * random.uniform(size=(number, 1))
        share = (start - low) / (high - low) + size * random.standard_normal(start.shape)
        # What leaves the box is reflected into it.
        share = 1 - np.abs(1 - np.abs(share))
        moved = low + (high - low) * np.clip(share, 0, 1)
        drawn = np.concatenate([moved, space.sample(self.rows - number, [seed, 1])])
        means, stds = [], []
        with torch.no_grad():
            for part in np.array_split(drawn, max(1, len(drawn) // 4096)):
                mean, std = predict(torch.from_numpy(part))
                means.append(mean.double().numpy())
                stds.append(std.double().numpy())
        sure = np.concatenate(stds) <= self.spread
        return drawn[sure], np.concatenate(means)[sure]


def save(models: Sequence[GenerativeModel], path: str | Path, card: Mapping[str, Any]) -> None:
    """Write trained models, one a seed, with a card, whole or not at all."""
    tensors = {
        f"{seed}.{name}": value.clone(memory_format=torch.contiguous_format)
        for seed, model in enumerate(models)
        for name, value in model.state_dict().items()
    }
    # safetensors needs a tensor, and a uniform model has none.
    tensors["seeds"] = torch.tensor(len(models))
    with replacing(path) as aside:
        save_file(tensors, aside, metadata={"card": json.dumps(card, sort_keys=True)})


def load(path: str | Path, space: Product, kind: str, options: Any) -> list[GenerativeModel]:
    """Read what `save` wrote.

    Args:
        path: The file.
        space: The space that the models were trained for.
        kind: Key of `KINDS`.
        options: Options that they were trained with.

    Raises:
        InputError: The file is missing, not of its format, or of other models.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        models = [KINDS[kind][1](space, options, seed) for seed in range(int(tensors["seeds"]))]
        for seed, model in enumerate(models):
            prefix = f"{seed}."
            model.load_state_dict(
                {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            )
    except (FileNotFoundError, safetensors.SafetensorError, RuntimeError, KeyError) as error:
        raise InputError(
            f"is not a file of {kind} models: {error}.", file=path, remedy="delete it and train again."
        ) from error
    return models
