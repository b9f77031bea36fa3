"""The members that are interpreted, with their rows, brought into one order of latents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from nestmat import tables
from nestmat.errors import InputError
from nestmat.interpretation.alignment import Alignment, align_latents
from nestmat.interpretation.latents import latents_by_member
from nestmat.models.base import Network
from nestmat.models.specification import Head
from nestmat.scales.propagate import blocks_for
from nestmat.training.checkpoints import Trained, head_units
from nestmat.training.members import MEMBER_KEYS
from nestmat.training.scale_data import ScaleData, is_latent


@dataclass(frozen=True)
class MemberNetwork:
    """One member as functions of arrays.

    Attributes:
        network: The network of this member alone.
        order: Its latents in the order of the reference member, (latents,).
        scale: Mean and standard deviation of each target, which the network predicts standardised.
        heads: Head of each target.
    """

    network: Network
    order: np.ndarray
    scale: dict[str, tuple[float, float]]
    heads: Mapping[str, Head]

    @torch.no_grad()
    def forward(self, x: np.ndarray) -> np.ndarray:
        """Matched latents and targets, (n, latents + targets), of scaled inputs (n, width)."""
        z, _ = self.network.encode(torch.from_numpy(x)[None])
        return np.column_stack([z[0].numpy()[:, self.order], *self._targets(z)])

    @torch.no_grad()
    def head(self, z: np.ndarray) -> np.ndarray:
        """Targets in their units, (n, targets), of the member's own latents (n, latents)."""
        return np.column_stack(self._targets(torch.from_numpy(z)[None]))

    def _targets(self, z: torch.Tensor) -> list[np.ndarray]:
        predicted, values = self.network.predict(z), []
        for name, (mean, std) in self.scale.items():
            learned, spread = (part[0] for part in predicted[name])
            values.append(head_units(self.heads[name], learned * std + mean, spread * std)[0].numpy())
        return values


@dataclass(frozen=True)
class InterpretedModel:
    """Files of the model that is explained.

    Attributes:
        weights: Weights of the model.
        features: Features of the scale.
        latents: Latents of the model.
        card: Card of the model; by default the file next to the weights.
        parents: Propagated latents of each parent scale for the rows of this one.
    """

    weights: str | Path
    features: str | Path
    latents: str | Path
    card: str | Path | None = None
    parents: Mapping[str, str | Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Explained:
    """The members of the first repeat that left a fold out, with their rows.

    Attributes:
        trained: All trained members.
        data: Rows of the scale with the latents of its parents.
        members: Member, repeat, fold, inner and seed of those explained, indexed as in ``trained`` (m rows).
        train: Rows that trained, (m, n).
        latents: (m, n, latents).
        alignment: Of the latents.
        parents: Columns of each parent's block that are latents, and their alignment over the members.
    """

    trained: Trained
    data: ScaleData
    members: pd.DataFrame
    train: np.ndarray
    latents: np.ndarray
    alignment: Alignment
    parents: dict[str, tuple[list[int], Alignment]]

    @classmethod
    def read(cls, model: InterpretedModel) -> Explained:
        """Read the members, their rows and their latents.

        Args:
            model: Files of the model.

        Raises:
            InputError: A file is missing or does not fit the others.
        """
        trained = Trained.load(model.weights, model.card)
        data = ScaleData.read(model.features)
        for name in trained.parents:
            if name not in model.parents:
                raise InputError(
                    f"The model reads latents of the parent {name!r}, which are missing.",
                    file=model.weights,
                    remedy="add the propagated latents of every parent.",
                )
            data = data.with_propagated(name, model.parents[name], trained.protocol, repeat=0, inner=-1)
        members = trained.members.query("inner == -1 and repeat == 0 and fold >= 0")
        if members.empty:
            raise InputError("The weights hold no member that left a fold out.", file=model.weights)
        values, train = latents_by_member(
            tables.read(model.latents, repeat=0), members["member"].to_numpy(), data.row_id, model.latents
        )
        # A scale need not have rows in every fold of its protocol.
        left_some_out = np.flatnonzero(~train.all(axis=1))
        members, values, train = members.iloc[left_some_out], values[left_some_out], train[left_some_out]
        keys = [members[key].to_numpy(np.int64) for key in MEMBER_KEYS]
        parents = {}
        for name in trained.parents:
            columns = [i for i, column in enumerate(data.columns[name]) if is_latent(column)]
            parents[name] = (columns, align_latents(data.block(name, *keys)[..., columns]))
        return cls(trained, data, members, train, values, align_latents(values), parents)

    @property
    def keys(self) -> list[np.ndarray]:
        """Repeat, fold, inner fold and seed of the members."""
        return [self.members[key].to_numpy(np.int64) for key in MEMBER_KEYS]

    @property
    def targets(self) -> list[str]:
        """Targets that the model has a head for."""
        return [name for name in self.trained.specification.heads if name in self.trained.targets]

    @property
    def latent_names(self) -> list[str]:
        """Names of the latents, in the order of the reference member."""
        return [f"z{i}" for i in range(self.latents.shape[2])]

    def inputs(self) -> np.ndarray:
        """Scaled inputs of the encoder, (m, n, width), float32."""
        blocks = blocks_for(self.trained, self.data, self.members)
        index = self.members.index.to_numpy()
        scaled = [
            self.trained.scalers[name][index].transform(blocks[name])
            for name in self.trained.specification.inputs
        ]
        return np.concatenate(scaled, axis=-1).astype(np.float32)

    def network(self, place: int) -> MemberNetwork:
        """The network of the member at ``place``, 0 to m - 1."""
        index = self.members.index[[place]].to_numpy()
        scalers = [self.trained.scalers[name][index] for name in self.targets]
        return MemberNetwork(
            self.trained.network(index),
            self.alignment.order[place],
            {
                name: (float(scaler.mean[0, 0]), float(scaler.std[0, 0]))
                for name, scaler in zip(self.targets, scalers, strict=True)
            },
            self.trained.specification.heads,
        )

    def labels(self, block: str) -> list[str]:
        """Names of a block's columns; those of a parent's bear its name."""
        columns = self.data.columns[block]
        return [f"{block} {column}" for column in columns] if block in self.data.parents else list(columns)

    def input_order(self) -> np.ndarray:
        """Input column of each member that is input j of the reference member, (m, width).

        Latents of parents are matched over the members; all other inputs stay where they are.
        """
        parts, width = [], 0
        for name in self.trained.specification.inputs:
            order = np.tile(np.arange(len(self.data.columns[name])), (len(self.members), 1))
            if name in self.parents:
                columns, alignment = self.parents[name]
                order[:, columns] = np.asarray(columns)[alignment.order]
            parts.append(order + width)
            width += order.shape[1]
        return np.concatenate(parts, axis=1)

    @property
    def covered(self) -> np.ndarray:
        """Rows that some member left out, (n,)."""
        return np.logical_not(self.train).any(axis=0)

    def left_out(self, values: np.ndarray) -> np.ndarray:
        """Values (m, n, k) of each row by the members that left it out, (seeds, covered rows, k).

        Members differ in the scale of their latents: each is standardised on its training rows.
        """
        seeds = self.members["seed"].to_numpy()
        standardised = np.zeros((len(set(seeds)), *values.shape[1:]))
        for number, seed in enumerate(sorted(set(seeds))):
            for member in np.flatnonzero(seeds == seed):
                rows, of_train = ~self.train[member], values[member][self.train[member]]
                spread = of_train.std(axis=0)
                scale = np.where(spread > 0, spread, 1.0)
                standardised[number, rows] = (values[member][rows] - of_train.mean(axis=0)) / scale
        return standardised[:, self.covered]


def players(
    columns: Mapping[str, Sequence[str]], kinds: Mapping[str, str], groups: Mapping[str, Sequence[str]]
) -> dict[str, list[int]]:
    """Inputs between which an attribution distinguishes.

    Args:
        columns: Names of the input columns by block, in the order of the inputs.
        kinds: continuous, categorical or simplex, by block.
        groups: Named groups of columns, or of whole blocks by their name.

    Returns:
        Indices of the columns of each player: the groups, then the remaining columns. The columns of a class
        or of site fractions stay together, since one of them alone cannot be missing.

    Raises:
        InputError: A group holds an unknown column, one of another group, or none.

    Example:
        >>> columns = {"size": ["a", "b"], "site": ["X=I", "X=Br"]}
        >>> players(columns, {"size": "continuous", "site": "simplex"}, groups={})
        {'a': [0], 'b': [1], 'site': [2, 3]}
    """
    names = [name for block in columns.values() for name in block]
    # A column may stand in several blocks: then it is one input at several places.
    places = {name: [i for i, column in enumerate(names) if column == name] for name in names}
    blocks = {block: [i for name in members for i in places[name]] for block, members in columns.items()}
    by_player, group_of_column = _grouped_columns(names, places, blocks, groups)
    for block, indices in blocks.items():
        remaining = [i for i in indices if i not in group_of_column]
        if kinds[block] != "continuous":
            single = {block: remaining} if remaining else {}
        else:
            single = {names[i]: places[names[i]] for i in remaining}
        if clash := set(single) & set(groups):
            raise InputError(
                f"A group of inputs has the name of an input outside it: {sorted(clash)}.",
                key="interpret.groups",
                remedy="choose another name for the group.",
            )
        by_player |= single
    return by_player


def _grouped_columns(
    names: Sequence[str],
    places: Mapping[str, list[int]],
    blocks: Mapping[str, list[int]],
    groups: Mapping[str, Sequence[str]],
) -> tuple[dict[str, list[int]], dict[int, str]]:
    """Indices of the columns of each group, and the group of each such column; see `players`."""
    by_group: dict[str, list[int]] = {}
    group_of_column: dict[int, str] = {}
    for group, members in groups.items():
        by_group[group] = []
        for name in members:
            if name not in places and name not in blocks:
                raise InputError(
                    f"{name!r} in group {group!r} is not an input of the model.",
                    key=f"interpret.groups.{group}",
                    value=name,
                    remedy=f"name some of {list(names)} or a block of {list(blocks)}.",
                )
            by_group[group] += places[name] if name in places else blocks[name]
        for i in by_group[group]:
            if i in group_of_column:
                raise InputError(
                    f"Input {names[i]!r} is in group {group_of_column[i]!r} as well.",
                    key=f"interpret.groups.{group}",
                    value=names[i],
                    remedy="put every input into one group.",
                )
            group_of_column[i] = group
        if not by_group[group]:
            raise InputError(f"Group {group!r} holds no input.", key=f"interpret.groups.{group}")
    return by_group, group_of_column
