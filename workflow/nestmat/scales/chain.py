"""Apply a trained chain of scales to new rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from nestmat.errors import InputError
from nestmat.models.base import ConditionalNetwork
from nestmat.scales.compiled_chain import CompiledChain
from nestmat.scales.links import Link, Output, Targets, mixtures, split_blocks
from nestmat.training.checkpoints import Trained
from nestmat.training.members import ENSEMBLE_KEYS

ROWS = 50_000
"""Rows predicted at once, to bound the memory."""


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
        self._links: dict[str, Link] = {}
        for scale, path in weights.items():
            trained = Trained.load(path)
            chosen = (trained.members[[*ENSEMBLE_KEYS]] == [repeat, fold, -1]).all(axis=1)
            members = trained.members[chosen].sort_values("seed")
            if members.empty:
                raise InputError(f"The model has no members of repeat {repeat}, fold {fold}.", file=path)
            link = Link(trained, members.index.to_numpy(), members["seed"].to_numpy(), path)
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

        Features on the processor that need no gradient are predicted by `CompiledChain`, all others by
        `differentiable`: the two agree but for rounding.

        Args:
            features: By scale the values of `columns`, (n, columns), the same rows for all.

        Returns:
            Latents and predictions of each scale, in the precision and on the device of the features.
        """
        return self._evaluate(features, None)

    def targets(self, features: Mapping[str, Tensor]) -> dict[str, Targets]:
        """Predictions of each scale alone, as of a call: a little faster, since no latents are copied."""
        if _is_plain(features):
            return {scale: part.output_targets for scale, part in self._compiled(features).items()}
        return {scale: output.targets for scale, output in self.differentiable(features).items()}

    def _evaluate(self, features: Mapping[str, Tensor], last: str | None) -> dict[str, Output]:
        """Latents and predictions of the scales up to one of them; by default of all."""
        if _is_plain(features):
            return {scale: part.output for scale, part in self._compiled(features, last).items()}
        return self.differentiable(features, last)

    @cached_property
    def _compiled(self) -> CompiledChain:
        return CompiledChain(self._links)

    def differentiable(self, features: Mapping[str, Tensor], last: str | None = None) -> dict[str, Output]:
        """As a call, differentiable in the features, and on any device.

        Args:
            features: As of a call.
            last: Scale to stop after; by default the last one.
        """
        outputs: dict[str, Output] = {}
        for scale in self._links:
            outputs[scale] = self._output(scale, features, outputs)
            if scale == last:
                break
        return outputs

    def _output(self, scale: str, features: Mapping[str, Tensor], outputs: Mapping[str, Output]) -> Output:
        """Latents and predictions of a scale, which may read those of its parents."""
        link, like = self._links[scale], next(iter(features.values()))
        trained = link.trained
        blocks = split_blocks(trained, features[scale]) if scale in self.columns else {}
        for parent in link.parents:
            if parent in trained.joint:
                parent_model = trained.joint[parent]
                latents = parent_model.forward(split_blocks(parent_model, features[parent]), link.index)[0]
            else:
                latents = _parent_block(outputs[parent], link, parent)
            blocks[parent] = latents.to(like)
        z, predicted = trained.forward(blocks, link.index)
        return Output(z, mixtures(predicted))

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
        return self._evaluate(features, scale)[scale].latents

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


def _is_plain(features: Mapping[str, Tensor]) -> bool:
    """Whether features are on the processor and need no gradient."""
    return not any(values.requires_grad or values.device.type != "cpu" for values in features.values())


def _parent_block(parent: Output, link: Link, name: str) -> Tensor:
    """The parent's latents and predictions as the child was trained on, (members, n, columns)."""
    members = torch.from_numpy(link.members_of(len(parent.latents)))
    # The rows stay along the last axis in memory: here latents are copied in whole runs.
    latents = parent.latents.transpose(1, 2)
    parts = [
        column.statistic_of(parent.targets).expand(len(members), -1)
        if column.latent is None
        else latents[members, column.latent]
        for column in link.parent_columns(name)
    ]
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
