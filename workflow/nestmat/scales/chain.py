"""Apply a trained chain of scales to new rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from nestmat.errors import InputError
from nestmat.models.base import ConditionalNetwork
from nestmat.scales.predictions import quantity_of
from nestmat.training.checkpoints import Trained
from nestmat.training.members import ENSEMBLE_KEYS

ROWS = 50_000
"""Rows predicted at once, to bound the memory."""


class Output(NamedTuple):
    """Latents and predictions of the members of one scale.

    Attributes:
        latents: (members, n, latents).
        targets: Mean and standard deviation of the ensemble by target, in physical units, (n,) each; the
            standard deviation is NaN where a single member states none.
    """

    latents: Tensor
    targets: dict[str, tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class _Link:
    """Members of one scale: `index` of them in `trained`, and their seeds, in order."""

    trained: Trained
    index: np.ndarray
    seeds: np.ndarray
    path: str | Path

    @property
    def parents(self) -> list[str]:
        return [name for name in self.trained.specification.inputs if name in self.trained.parents]


class Chain:
    """Members of one fold along a chain of scales, as one function that is differentiable in the features.

    Args:
        weights: Weights file of the model of each scale, every parent before its children; the card is
            the JSON file of the same name. Parents trained jointly with a child are in the child's file.
        repeat: Repeat of the members.
        fold: Fold of the members; by default those trained on every row.

    Attributes:
        columns: Features that the members read, by scale, in the order in which they want them.
        units: Unit of each target, by scale.

    Raises:
        InputError: A parent is missing, or a scale has no such member.
    """

    def __init__(self, weights: Mapping[str, str | Path], *, repeat: int = 0, fold: int = -1):
        self._links: dict[str, _Link] = {}
        for scale, path in weights.items():
            trained = Trained.load(path)
            chosen = (trained.members[[*ENSEMBLE_KEYS]] == [repeat, fold, -1]).all(axis=1)
            members = trained.members[chosen].sort_values("seed")
            if members.empty:
                raise InputError(f"The model has no members of repeat {repeat}, fold {fold}.", file=path)
            link = _Link(trained, members.index.to_numpy(), members["seed"].to_numpy(), path)
            for parent in link.parents:
                if parent not in self._links and parent not in trained.joint:
                    raise InputError(
                        f"The model reads the latents of {parent!r}, whose model is missing before it.",
                        file=path,
                    )
            self._links[scale] = link
        self.columns: dict[str, list[str]] = {}
        for scale, link in self._links.items():
            for name, part in {scale: link.trained, **link.trained.joint}.items():
                if part.inputs:
                    self.columns.setdefault(name, [c for block in part.inputs.values() for c in block])
        self.units = {
            scale: {target: link.trained.units.get(target, "") for target in link.trained.targets}
            for scale, link in self._links.items()
        }

    def files(self, scale: str) -> list[str | Path]:
        """Weights files that read the features of a scale, for messages."""
        return [k.path for name, k in self._links.items() if scale == name or scale in k.trained.joint]

    def __call__(self, features: Mapping[str, Tensor]) -> dict[str, Output]:
        """Predict.

        Args:
            features: By scale the values of `columns`, (n, columns), the same rows for all.

        Returns:
            Latents and predictions of each scale, in the precision and on the device of the features.
        """
        outputs: dict[str, Output] = {}
        for scale in self._links:
            outputs[scale] = self._output(scale, features, outputs)
        return outputs

    def _output(self, scale: str, features: Mapping[str, Tensor], outputs: Mapping[str, Output]) -> Output:
        """Latents and predictions of a scale, which may read those of its parents."""
        link, like = self._links[scale], next(iter(features.values()))
        trained = link.trained
        blocks = _blocks(trained, features[scale]) if scale in self.columns else {}
        for parent in link.parents:
            if parent in trained.joint:
                parent_model = trained.joint[parent]
                latents = parent_model.forward(_blocks(parent_model, features[parent]), link.index)[0]
            else:
                latents = _parent_block(outputs[parent], trained.columns[parent], link.seeds)
            blocks[parent] = latents.to(like)
        z, predicted = trained.forward(blocks, link.index)
        return Output(z, {name: mixture(means, stds) for name, (means, stds) in predicted.items()})

    @property
    def scales(self) -> list[str]:
        """Scales with a model of their own, every parent before its children."""
        return list(self._links)

    def fractions(self, scale: str) -> dict[str, list[str]]:
        """Columns of the blocks of fractions that a scale decodes from its latents, by block."""
        trained = self._links[scale].trained
        return {
            name: trained.columns[name]
            for name, head in trained.specification.heads.items()
            if head.fit.normalised and trained.kinds.get(name) == "simplex"
        }

    def encode(self, scale: str, features: Mapping[str, Tensor]) -> Tensor:
        """Latents of one scale, (members, n, latents), of features as for predictions."""
        outputs: dict[str, Output] = {}
        for name in self._links:
            outputs[name] = self._output(name, features, outputs)
            if name == scale:
                break
        return outputs[scale].latents

    def conditions(self, scale: str) -> tuple[int, int] | None:
        """Number of z among the latents of a scale, before its targets, and number of its members.

        None where the targets are no part of the latents: where the model is no `ConditionalNetwork`.
        """
        link = self._links[scale]
        network = link.trained.network(link.index[:1])
        return (network.latents, len(link.index)) if isinstance(network, ConditionalNetwork) else None

    def latent_std(self, scale: str) -> float:
        """Standard deviation of the prior of z of a scale whose targets are part of its latents."""
        return self._conditional(scale, slice(1)).latent_std

    def _conditional(self, scale: str, members: slice) -> ConditionalNetwork:
        """The network of some members of a scale.

        Raises:
            InputError: Its latents do not hold the targets.
        """
        link = self._links[scale]
        network = link.trained.network(link.index[members])
        if not isinstance(network, ConditionalNetwork):
            raise InputError(
                f"The model of scale {scale!r} does not decode for given targets.",
                file=link.path,
                value=link.trained.specification.kind,
                remedy="use a semi-supervised model.",
            )
        return network

    def with_targets(self, scale: str, z: Tensor, targets: Mapping[str, float], member: int = 0) -> Tensor:
        """Latents of a scale whose targets are part of its latents, and are set.

        Args:
            scale: The scale.
            z: (n, latents).
            targets: Target by name, a class or a value in its unit; what is not named is at its mean, or at
                half where it is a class.
            member: Number of the member.

        Returns:
            (n, latents + targets).
        """
        link = self._links[scale]
        trained, place = link.trained, link.index[member]
        network, values = self._conditional(scale, slice(1)), []
        for name in network.targets:
            scaler = trained.scalers[name]
            mean, std = float(scaler.mean[place, 0]), float(scaler.std[place, 0])
            default = 0.5 if name in network.classes else mean
            values.append((targets.get(name, default) - mean) / std)
        return torch.cat([z, z.new_tensor(values).expand(len(z), -1)], dim=1)

    def decode(self, scale: str, z: Tensor, first: int = 0) -> dict[str, Tensor]:
        """Blocks that latents of one scale stand for, differentiable.

        Args:
            scale: The scale.
            z: Latents of some of its members in a row, (members, n, latents).
            first: Number of the first of these members.

        Returns:
            Each block that a head decodes, (members, n, width), float64, in physical units.
        """
        link = self._links[scale]
        return link.trained.decode(z, link.index[first : first + len(z)])

    def presence(self, scale: str, z: Tensor, first: int = 0) -> Tensor:
        """Probability (members, n, elements) that each element is present in what latents decode to.

        Args:
            scale: The scale.
            z: As for `decode`.
            first: Number of the first of these members.
        """
        return self._conditional(scale, slice(first, first + len(z))).presence(z.float()).double()


def _blocks(trained: Trained, features: Tensor) -> dict[str, Tensor]:
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
    stated = torch.isfinite(stds).all(dim=0)
    within = torch.where(stated, stds.nan_to_num(0.0).square().mean(dim=0), 0.0)
    mean = means.mean(dim=0)
    # The slope of the root is endless where members agree.
    std = ((means - mean).square().mean(dim=0) + within + 1e-30).sqrt()
    return mean, std if len(means) > 1 else torch.where(stated, std, torch.nan)


def _parent_block(parent: Output, columns: Sequence[str], seeds: np.ndarray) -> Tensor:
    """The parent's latents and predictions as the child was trained on, (members, n, columns)."""
    members = torch.from_numpy(seeds % len(parent.latents))
    # The rows stay along the last axis in memory: here latents are copied in whole runs.
    latents = parent.latents.transpose(1, 2)
    parts = []
    for column in columns:
        target, statistic = quantity_of(column) or ("", "")
        if target in parent.targets:
            parts.append(parent.targets[target][statistic == "std"].expand(len(members), -1))
        else:
            parts.append(latents[members, int(column.removeprefix("z"))])
    return torch.stack(parts, dim=1).transpose(1, 2)


@dataclass(frozen=True)
class ScalePrediction:
    """Latents and predictions of the members of one scale.

    Attributes:
        latents: (seeds, n, latents).
        targets: Mean and standard deviation of the ensemble over seeds by target, in physical units, (n,)
            each; the standard deviation is NaN where a single member states none.
        units: Unit of each target.
    """

    latents: np.ndarray
    targets: dict[str, tuple[np.ndarray, np.ndarray]]
    units: dict[str, str]


@torch.no_grad()
def predict_chain(
    weights: Mapping[str, str | Path],
    features: Mapping[str, pd.DataFrame],
    *,
    repeat: int = 0,
    fold: int = -1,
) -> dict[str, ScalePrediction]:
    """Predict along a chain with the members of one fold, by default those trained on every row.

    Args:
        weights: As for `Chain`.
        features: For each scale the columns of its feature blocks, one row a material, the same rows for all.
        repeat: Repeat of the members.
        fold: Fold of the members.

    Returns:
        Predictions by scale.

    Raises:
        InputError: As `Chain`, or a column is missing or not finite.
    """
    chain = Chain(weights, repeat=repeat, fold=fold)
    values = {
        scale: torch.from_numpy(_values(features[scale], columns, chain.files(scale)[0]))
        for scale, columns in chain.columns.items()
    }
    rows = len(next(iter(values.values())))
    parts = [
        chain({scale: array[start : start + ROWS] for scale, array in values.items()})
        for start in range(0, max(rows, 1), ROWS)
    ]
    predictions = {}
    for scale in parts[0]:
        targets = {}
        for target in parts[0][scale].targets:
            mean, std = (
                np.concatenate([part[scale].targets[target][k].numpy() for part in parts]) for k in range(2)
            )
            targets[target] = (mean, std)
        latents = np.concatenate([part[scale].latents.numpy() for part in parts], axis=1)
        predictions[scale] = ScalePrediction(latents, targets, chain.units[scale])
    return predictions


def _values(frame: pd.DataFrame, columns: list[str], path: str | Path) -> np.ndarray:
    if missing := [name for name in columns if name not in frame]:
        raise InputError(
            f"The new rows lack the columns {missing}, which the model reads.",
            file=path,
            remedy="compute the features as for the training rows, with the same levels.",
        )
    values = frame[columns].to_numpy(np.float64)
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise InputError(
            f"Row {row} of the new rows is not finite.", column=columns[column], value=values[row, column]
        )
    return values
