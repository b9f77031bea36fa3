"""A chain of scales as it predicts many rows on a processor, without gradients.

Each scale is a `nestmat.models.compiled.CompiledNetwork`. Rows in a row that a scale cannot tell apart, such
as cells of one compound that differ in their thickness, are predicted once by that scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from nestmat.models.compiled import InputMap
from nestmat.scales.links import Link, Output, ParentColumn, Targets, mixtures
from nestmat.scales.runs import Runs, differs
from nestmat.training.checkpoints import Trained


class Predicted(NamedTuple):
    """What a scale says of one row of each run.

    Attributes:
        latents: (members, latents, runs).
        targets: As of `nestmat.scales.links.Output`, (runs,) each.
        runs: The runs.
    """

    latents: Tensor
    targets: Targets
    runs: Runs

    def for_parts(self, parts: Runs) -> Predicted:
        """The same for runs that are parts of these."""
        targets = {
            name: (self.runs.expand(mean, parts), self.runs.expand(std, parts))
            for name, (mean, std) in self.targets.items()
        }
        return Predicted(self.runs.expand(self.latents, parts), targets, parts)

    @property
    def output_targets(self) -> Targets:
        """Mean and standard deviation of each target of each row, (n,) each."""
        return {
            name: (self.runs.expand(mean), self.runs.expand(std))
            for name, (mean, std) in self.targets.items()
        }

    @property
    def output(self) -> Output:
        """Latents and predictions of each row."""
        return Output(self.runs.expand(self.latents).transpose(1, 2), self.output_targets)


@dataclass(frozen=True)
class Parent:
    """What the members of a scale read of one of their parents.

    Attributes:
        columns: The columns, in the order of the inputs.
        members: Number of the member of the parent that each member reads, (members,).
    """

    columns: Sequence[ParentColumn]
    members: Sequence[int]

    @property
    def width(self) -> int:
        """Number of its latents that are read, the first ones."""
        return 1 + max((column.latent for column in self.columns if column.latent is not None), default=-1)

    @property
    def statistics(self) -> list[ParentColumn]:
        """Columns that all members share."""
        return [column for column in self.columns if column.latent is None]


class CompiledScale:
    """Members of one scale.

    All of them share their features and what parents predict, a row each, standardised by the mean of the
    members' scalers so that float32 holds them well.

    Args:
        trained: Trained members of the scale.
        index: Those to compile.
        parents: What they read of each parent, by block.
    """

    def __init__(self, trained: Trained, index: np.ndarray, parents: Mapping[str, Parent]):
        self._trained, self._index = trained, index
        blocks = trained.specification.inputs
        self._parents = {name: parents[name] for name in blocks if name in parents}
        columns: list[tuple[str, ParentColumn | None]] = []
        for name in blocks:
            of_block = parents[name].columns if name in parents else [None] * len(trained.columns[name])
            columns += [(name, column) for column in of_block]
        features = [place for place, (_, column) in enumerate(columns) if column is None]
        passed = [place for place, (_, column) in enumerate(columns) if column and column.latent is None]
        scalers = [trained.scalers[name][index] for name in blocks]
        mean, std = (np.concatenate([getattr(s, part) for s in scalers], axis=1) for part in ("mean", "std"))
        rows = features + passed
        centre, unit = mean[:, rows].mean(axis=0), std[:, rows].mean(axis=0)
        self._centre, self._unit = torch.from_numpy(centre)[:, None], torch.from_numpy(unit)[:, None]
        shared = np.zeros((*mean.shape, 1 + len(rows)))
        shared[:, rows, 1 + np.arange(len(rows))] = unit / std[:, rows]
        shared[:, :, 0] = -mean / std
        shared[:, rows, 0] += centre / std[:, rows]
        latents = {name: np.zeros((*mean.shape, parent.width)) for name, parent in self._parents.items()}
        for place, (name, column) in enumerate(columns):
            if column and column.latent is not None:
                latents[name][:, place, column.latent] = 1 / std[:, place]
        inputs = InputMap(
            torch.from_numpy(shared),
            [torch.from_numpy(matrix) for matrix in latents.values()],
            [parent.members for parent in self._parents.values()],
        )
        flat = trained.flat[torch.from_numpy(index)]
        self._network = trained.specification.compile(trained.shapes, flat, inputs)

    def __call__(self, features: Tensor, parents: Mapping[str, Predicted]) -> tuple[Tensor, Targets]:
        """Latents (members, latents, n), and mean and standard deviation of targets, (members, n) each.

        Args:
            features: What the members share, (n, columns).
            parents: What the parents say of the same rows.
        """
        passed = [
            column.statistic_of(parents[name].targets)[None]
            for name, parent in self._parents.items()
            for column in parent.statistics
        ]
        values = torch.cat([features.T, *passed])
        shared = torch.empty(1 + len(values), values.shape[1])
        shared[0] = 1
        shared[1:] = (values - self._centre.to(values)) / self._unit.to(values)
        latents = [parents[name].latents[:, : parent.width] for name, parent in self._parents.items()]
        z, predicted = self._network(shared, latents)
        return z, self._trained.restore(predicted, self._index, features)


class CompiledChain:
    """A chain of scales, without gradients.

    Args:
        links: The scales, every parent before its children.
    """

    def __init__(self, links: Mapping[str, Link]):
        self._links, self._scales, self._joint = links, {}, {}
        for scale, link in links.items():
            trained, parents = link.trained, {}
            for name in link.parents:
                if name in trained.joint:
                    part = trained.joint[name]
                    self._joint[scale, name] = CompiledScale(part, link.index, {})
                    columns = [ParentColumn(k) for k in range(len(trained.columns[name]))]
                    parents[name] = Parent(columns, range(len(link.index)))
                else:
                    members = link.members_of(len(links[name].index))
                    parents[name] = Parent(link.parent_columns(name), members.tolist())
            self._scales[scale] = CompiledScale(trained, link.index, parents)

    def __call__(self, features: Mapping[str, Tensor], last: str | None = None) -> dict[str, Predicted]:
        """What the scales say of rows.

        Args:
            features: As of `nestmat.scales.chain.Chain`; on the processor, without gradients.
            last: Scale to stop after; by default the last one.
        """
        predicted: dict[str, Predicted] = {}
        for scale in self._links:
            predicted[scale] = self._predict(scale, features, predicted)
            if scale == last:
                break
        return predicted

    def _predict(
        self, scale: str, features: Mapping[str, Tensor], predicted: Mapping[str, Predicted]
    ) -> Predicted:
        link, like = self._links[scale], next(iter(features.values()))
        own = features.get(scale, like[:, :0])
        changes = differs(own)
        for name in link.parents:
            joint = name in link.trained.joint
            changes = changes | (differs(features[name]) if joint else predicted[name].runs.changes)
        runs, parents = Runs.of(changes, len(like)), {}
        for name in link.parents:
            if name in link.trained.joint:
                latents, _ = self._joint[scale, name](runs.select(features[name]), {})
                parents[name] = Predicted(latents, {}, runs)
            else:
                parents[name] = predicted[name].for_parts(runs)
        latents, targets = self._scales[scale](runs.select(own), parents)
        return Predicted(latents, mixtures(targets), runs)
