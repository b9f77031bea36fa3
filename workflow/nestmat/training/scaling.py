"""Standardisation fitted on each member's own training rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from nestmat.errors import InputError
from nestmat.models.specification import Head, Specification
from nestmat.training.members import Members
from nestmat.training.scale_data import ScaleData, is_latent

LEAST_SHARE = 0.01
QUARTILES_OF_NORMAL = 1.349
"""Distance of the quartiles of a standard normal distribution."""


@dataclass(frozen=True)
class Scaler:
    """Mean and standard deviation of each column for each member.

    Attributes:
        mean: (members, width).
        std: (members, width), positive.
    """

    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def fit(cls, values: np.ndarray, rows: np.ndarray, alike: np.ndarray | None = None) -> Scaler:
        """Fit on some rows of each member; a column that is constant there gets standard deviation 1.

        Args:
            values: (n, width), or (members, n, width).
            rows: (members, n).
            alike: Whether a column is a latent, (width,): latents share one scale, and the standard deviation
                of none counts as less than `LEAST_SHARE` of the largest. Saturated ones vary by rounding
                alone, and a row that moves one would else become an outlier by orders of magnitude.
        """
        mean, std = [], []
        for member, chosen in enumerate(rows):
            # Nothing of the other rows may enter, not even by rounding: changed labels must not change a bit.
            member_values = (values[member] if values.ndim == 3 else values)[chosen]
            spread = member_values.std(axis=0)
            if alike is not None:
                spread[alike] = np.maximum(spread[alike], LEAST_SHARE * spread[alike].max())
            mean.append(member_values.mean(axis=0))
            std.append(np.where(spread > 1e-9 * np.abs(member_values).max(axis=0), spread, 1.0))
        return cls(np.array(mean), np.array(std))

    @classmethod
    def of_quartiles(cls, values: np.ndarray, rows: np.ndarray) -> Scaler:
        """Fit medians, and the distance of the quartiles that stands for a standard deviation of 1.

        A column that has one value in half of the rows or more gets half its range instead, and one that is
        constant there 1.

        Args:
            values: (n, width).
            rows: (members, n).
        """
        middle, unit = [], []
        for chosen in rows:
            member_values = values[chosen]
            low, median, high = np.quantile(member_values, [0.25, 0.5, 0.75], axis=0)
            spreads = np.stack([(high - low) / QUARTILES_OF_NORMAL, np.ptp(member_values, axis=0) / 2])
            differs = spreads > 1e-9 * np.abs(member_values).max(axis=0)
            middle.append(median)
            unit.append(np.where(differs[0], spreads[0], np.where(differs[1], spreads[1], 1.0)))
        return cls(np.array(middle), np.array(unit))

    @classmethod
    def of_counts(cls, values: np.ndarray, rows: np.ndarray) -> Scaler:
        """Logarithm of the mean of counts, to which the logarithm of the mean of each row is relative.

        Args:
            values: Counts, (n, 1).
            rows: (members, n); counts that are 0 on all of them have a mean of 1.
        """
        mean = np.array([values[chosen].mean(axis=0) for chosen in rows])
        return cls(np.log(np.where(mean > 0, mean, 1.0)), np.ones_like(mean))

    @classmethod
    def identity(cls, members: int, width: int) -> Scaler:
        """A scaler that changes nothing."""
        return cls(np.zeros((members, width)), np.ones((members, width)))

    def __getitem__(self, index: np.ndarray) -> Scaler:
        return Scaler(self.mean[index], self.std[index])

    def tensors(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and standard deviation to broadcast over rows, (members, 1, width) each."""
        return torch.from_numpy(self.mean)[:, None], torch.from_numpy(self.std)[:, None]

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Scaled values, (members, n, width), of (n, width) or (members, n, width)."""
        return (values - self.mean[:, None]) / self.std[:, None]

    def restore(self, values: np.ndarray) -> np.ndarray:
        """Inverse of `transform` on (members, n, width)."""
        return values * self.std[:, None] + self.mean[:, None]


Scalers = dict[str, Scaler]


def needed_blocks(specification: Specification, blocks: Iterable[str]) -> list[str]:
    """Blocks that a model reads or predicts, in the order of ``blocks``."""
    used = {*specification.inputs, *specification.heads}
    return [name for name in blocks if name in used]


def fit_scalers(specification: Specification, data: ScaleData, members: Members) -> Scalers:
    """Scalers of every block and target that a model needs.

    Classes, fractions where the scale of inputs is not robust, and targets with ``standardise: false`` pass
    unchanged. Rows of weight 0 take no part, and others count alike.
    """
    rows = members.train if specification.training.scale_on == "train" else np.ones_like(members.train)
    if data.weights is not None:
        rows = rows & (data.weights > 0)
    scalers = {}
    for name in needed_blocks(specification, data.columns):
        scalers[name] = _block_scaler(name, specification, data, members, rows)
    for name in data.y:
        if name in specification.heads:
            head, labels = specification.heads[name], data.labels(name)
            if head.fit.counts:
                scalers[name] = Scaler.of_counts(labels, rows)
            elif head.standardise and name not in data.classes:
                scalers[name] = Scaler.fit(learned(name, head, labels), rows)
            else:
                scalers[name] = Scaler.identity(len(members), labels.shape[1])
    return scalers


def _block_scaler(
    name: str, specification: Specification, data: ScaleData, members: Members, rows: np.ndarray
) -> Scaler:
    """Scaler of a block, fitted on ``rows`` (members, n)."""
    robust = specification.input_scale == "robust"
    head = specification.heads.get(name)
    if data.kinds[name] == "continuous":
        values = data.block(name, members.repeat, members.fold, members.inner, members.seed)
        if name in data.parents:
            latents = np.array([is_latent(column) for column in data.columns[name]])
            return Scaler.fit(values, rows, latents)
        return Scaler.of_quartiles(values, rows) if robust else Scaler.fit(values, rows)
    if robust and not (head and head.fit.normalised):
        return Scaler.fit(data.x[name], rows)
    return Scaler.identity(len(members), len(data.columns[name]))


def learned(name: str, head: Head, labels: np.ndarray) -> np.ndarray:
    """What a head learns of labels, before it is scaled: they or their logarithms, shaped as they are.

    Args:
        name: Name of the target.
        head: Its head.
        labels: Labels of all rows, (n, width).

    Raises:
        InputError: The logarithm is asked for of a target that is not positive, or counts are negative.
    """
    smallest = labels.min()
    if head.transform == "log" and smallest <= 0:
        raise InputError(
            f"The target {name!r} is not positive, and has no logarithm.",
            key=f"heads.{name}.transform",
            value=float(smallest),
            remedy="use transform: none.",
        )
    if head.fit.counts and smallest < 0:
        raise InputError(
            f"The target {name!r} is negative, and counts nothing.",
            key=f"heads.{name}.loss",
            value=float(smallest),
            remedy="use huber, mae, mse or gaussian_nll.",
        )
    return np.log(labels) if head.transform == "log" else labels


def scaled_labels(name: str, head: Head, labels: np.ndarray, scaler: Scaler) -> np.ndarray:
    """What the loss of a head compares with, (members, n, width).

    Args:
        name: Name of the target.
        head: Its head.
        labels: Labels of the rows of each member, (members, n, width).
        scaler: Scaler of each member.
    """
    values = learned(name, head, labels)
    return values / np.exp(scaler.mean[:, None]) if head.fit.counts else scaler.transform(values)
