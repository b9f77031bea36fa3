"""Scaled rows of members as tensors, and the batches that an epoch makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from nestmat.errors import InputError
from nestmat.models.base import Batch, at_detection_limit, certainty_of, is_labelled
from nestmat.models.losses import as_shares
from nestmat.models.noise import Noise, random_bits
from nestmat.models.specification import Specification
from nestmat.training.members import Members
from nestmat.training.scale_data import ScaleData
from nestmat.training.scaling import Scalers, scaled_labels
from nestmat.training.weighting import certainty


class RowSource(Protocol):
    """What the trainer takes batches from."""

    def full_batch(self, noise: Noise | None = None) -> Any:
        """One batch of all rows."""

    def batches(self, size: int | None, keys: Tensor, epoch: int) -> Iterator[Any]:
        """The batches of an epoch, shuffled by the members' keys, of all rows where ``size`` is None."""

    def select_members(self, members: Tensor) -> Any:
        """The rows of some of the members."""


@dataclass(frozen=True)
class Rows:
    """Rows of each member, padded to the longest.

    Attributes:
        inputs: (members, features, n).
        targets: (members, width, n), by head; under other names further tensors that are batched with them.
        count: Rows of each member that are not padding, (members,).
        weights: Weight of each row, (members, 1, n); None where all rows count alike.
    """

    inputs: Tensor
    targets: Mapping[str, Tensor]
    count: Tensor
    weights: Tensor | None = None

    @cached_property
    def _full_weight(self) -> Tensor:
        return self._weight(self.inputs.shape[2], self.weights)

    def select_members(self, members: Tensor) -> Rows:
        """The rows of some of the members."""
        targets = {name: value[members] for name, value in self.targets.items()}
        weights = None if self.weights is None else self.weights[members]
        return Rows(self.inputs[members], targets, self.count[members], weights)

    def _weight(self, size: int, weights: Tensor | None) -> Tensor:
        """Share of each row in the mean over its batch of ``size`` rows, (members, n).

        NaN for a member without rows: it has no loss, not a loss of zero.

        Args:
            size: Rows of a batch.
            weights: Weights of the rows in the order of the batches, (members, 1, n).
        """
        place = torch.arange(self.inputs.shape[2], device=self.count.device)
        is_row = place < self.count[:, None]
        if weights is None:
            first = place // size * size
            in_batch = (self.count[:, None] - first).clamp(1, size)
            share = is_row / in_batch
        else:
            parts = (weights[:, 0] * is_row).split(size, dim=1)
            share = torch.cat([as_shares(part) for part in parts], dim=1)
        return share.masked_fill(self.count[:, None] == 0, torch.nan)

    def full_batch(self, noise: Noise | None = None) -> Batch:
        """One batch of all rows."""
        return Batch(self.inputs, self.targets, self._full_weight, noise)

    def batches(self, size: int | None, keys: Tensor, epoch: int) -> Iterator[Batch]:
        """The batches of an epoch.

        Args:
            size: Rows a batch; None for one batch of all rows.
            keys: Random key of each member, (members,).
            epoch: Number of the epoch, from 0.
        """
        n = self.inputs.shape[2]
        noise = Noise(keys, epoch, n)
        if size is None or size >= n:
            yield self.full_batch(noise)
            return
        order = random_bits(keys, epoch, 0, 1, n)[:, 0].long()
        # Padding stays behind the rows, so that a member's batches do not depend on the longest member.
        order += (torch.arange(n, device=order.device) >= self.count[:, None]) * 2**33
        index = order.argsort(dim=1, stable=True)[:, None]

        def shuffle(value: Tensor) -> Tensor:
            return value.gather(2, index.expand(value.shape))

        shuffled = [shuffle(value) for value in (self.inputs, *self.targets.values())]
        weight = self._weight(size, None if self.weights is None else shuffle(self.weights))
        for start in range(0, n, size):
            window = slice(start, start + size)
            inputs, *targets = (value[..., window] for value in shuffled)
            heads = dict(zip(self.targets, targets, strict=True))
            yield Batch(inputs, heads, weight[:, window], noise.at(window))


def pack(
    specification: Specification,
    data: ScaleData,
    members: Members,
    scalers: Scalers,
    chosen: np.ndarray,
    device: torch.device,
) -> Rows:
    """Scale some rows of each member and lay them side by side.

    Args:
        specification: Model whose inputs and heads name the blocks.
        data: Rows of the scale.
        members: The members of the chunk.
        scalers: Their scalers.
        chosen: Rows of each member, (members, n).
        device: Where the tensors go.

    Raises:
        InputError: A target is below the floor of its head.
    """
    count = chosen.sum(axis=1)
    # A stable sort of the negation puts the chosen rows first, in their order; what follows is padding.
    index = np.argsort(~chosen, axis=1, kind="stable")[:, : max(int(count.max(initial=0)), 1)]

    def scaled(name: str) -> Tensor:
        if name in data.y:
            values = data.labels(name)
        else:
            values = data.block(name, members.repeat, members.fold, members.inner, members.seed)
        shared = values.ndim == 2
        picked = values[index] if shared else np.take_along_axis(values, index[..., None], axis=1)
        if name in data.y:
            picked = scaled_labels(name, specification.heads[name], picked, scalers[name])
        else:
            picked = scalers[name].transform(picked)
        columns_first = picked.astype(np.float32).swapaxes(1, 2)
        return torch.from_numpy(np.ascontiguousarray(columns_first)).to(device)

    blocks = {name: scaled(name) for name in {*specification.inputs, *specification.heads}}
    # A joint child may have no inputs of its own: the empty tensor sets their shape.
    empty = torch.empty(len(index), 0, index.shape[1], device=device)
    inputs = torch.cat([empty, *(blocks[name] for name in specification.inputs)], dim=1)
    targets = {name: blocks[name] for name in specification.heads}
    for name, head in specification.heads.items():
        if head.floor is not None:
            if (smallest := data.y[name].min()) < head.floor:
                raise InputError(
                    f"The floor of {name!r} is above its smallest value, {smallest:g}.",
                    key=f"heads.{name}.floor",
                    value=head.floor,
                    remedy="lower it to that value.",
                )
            picked = (data.y[name] == head.floor)[index].astype(np.float32)
            targets[at_detection_limit(name)] = torch.from_numpy(picked[:, None]).to(device)
    if specification.hides_labels:
        hidden = np.take_along_axis(members.unlabelled & chosen, index, axis=1)[:, None]
        labelled = torch.from_numpy((~hidden).astype(np.float32)).to(device)
        for name in specification.heads.keys() & data.y.keys() if hidden.any() else ():
            labels = targets[name] * labelled
            if data.pseudo_labels:
                pseudo_labels = data.pseudo_labels.of(name, members.repeat, members.fold)
                picked = np.take_along_axis(pseudo_labels, index, axis=1)[:, None].astype(np.float32)
                labels = torch.where(labelled > 0, labels, torch.from_numpy(picked).to(device))
            targets |= {name: labels, is_labelled(name): labelled}
    weights = None
    if data.weights is not None:
        weights = torch.from_numpy(data.weights[index][:, None].astype(np.float32)).to(device)
    targets |= _certainties(specification, data, members, index, device)
    return Rows(inputs, targets, torch.from_numpy(count).to(device), weights)


def _certainties(
    specification: Specification, data: ScaleData, members: Members, index: np.ndarray, device: torch.device
) -> dict[str, Tensor]:
    """How much each label counts for a head, (members, 1, n), by `certainty_of` its name."""
    counts = {}
    for name in specification.heads.keys() & data.uncertainties.keys():
        uncertainty = data.uncertainties[name]
        if specification.heads[name].transform == "log":
            uncertainty = np.log1p(uncertainty / data.y[name])
        typical = np.array([np.median(uncertainty[rows]) for rows in members.train])
        values = certainty(uncertainty[index], typical[:, None])[:, None].astype(np.float32)
        counts[certainty_of(name)] = torch.from_numpy(values).to(device)
    return counts
