"""The members that are interpreted, with their rows, brought into one order of latents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from nestmat import tables
from nestmat.errors import InputError
from nestmat.interpretation.alignment import Alignment, align_latents
from nestmat.models.base import Network
from nestmat.scales.propagate import blocks_for
from nestmat.training.checkpoints import Trained
from nestmat.training.members import MEMBER_KEYS
from nestmat.training.scale_data import ScaleData, is_latent


@dataclass(frozen=True)
class MemberNetwork:
    """One member as functions of arrays.

    Attributes:
        network: The network of this member alone.
        order: Its latents in the order of the reference member, (latents,).
        scale: Mean and standard deviation of each target, which the network gives standardised.
    """

    network: Network
    order: np.ndarray
    scale: dict[str, tuple[float, float]]

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
        found = self.network.predict(z)
        return [(found[name][0][0] * std + mean).numpy() for name, (mean, std) in self.scale.items()]


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
    def read(
        cls,
        weights: str | Path,
        card: str | Path | None,
        features: str | Path,
        latents: str | Path,
        parents: Mapping[str, str | Path],
    ) -> Explained:
        """Read the members, their rows and their latents.

        Raises:
            InputError: A file is missing or does not fit the others.
        """
        trained = Trained.load(weights, card)
        data = ScaleData.read(features)
        for name in trained.parents:
            if name not in parents:
                raise InputError(
                    f"reads latents of the parent {name!r}, which are not given.",
                    file=weights,
                    remedy="give the propagated latents of every parent.",
                )
            data = data.with_propagated(name, parents[name], trained.protocol, repeat=0, inner=-1)
        chosen = trained.members.query("inner == -1 and repeat == 0 and fold >= 0")
        if chosen.empty:
            raise InputError("holds no member that left a fold out.", file=weights)
        values, train = latents_by_member(
            tables.read(latents, repeat=0), chosen["member"].to_numpy(), data.row_id, latents
        )
        # A scale need not have rows in every fold of its protocol.
        some = np.flatnonzero(~train.all(axis=1))
        chosen, values, train = chosen.iloc[some], values[some], train[some]
        keys = [chosen[key].to_numpy(np.int64) for key in MEMBER_KEYS]
        matched = {}
        for name in trained.parents:
            columns = [i for i, column in enumerate(data.columns[name]) if is_latent(column)]
            matched[name] = (columns, align_latents(data.block(name, *keys)[..., columns]))
        return cls(trained, data, chosen, train, values, align_latents(values), matched)

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
        found = np.zeros((len(set(seeds)), *values.shape[1:]))
        for number, seed in enumerate(sorted(set(seeds))):
            for member in np.flatnonzero(seeds == seed):
                rows, seen = ~self.train[member], values[member][self.train[member]]
                spread = seen.std(axis=0)
                scale = np.where(spread > 0, spread, 1.0)
                found[number, rows] = (values[member][rows] - seen.mean(axis=0)) / scale
        return found[:, self.covered]


def latents_by_member(
    frame: pd.DataFrame, members: np.ndarray, row_id: np.ndarray, path: str | Path
) -> tuple[np.ndarray, np.ndarray]:
    """Latents (members, n, latents) and training rows (members, n) of a latents table."""
    columns = [name for name in frame.columns if is_latent(name)]
    index = pd.MultiIndex.from_product([members, row_id])
    frame = frame.set_index(["member", "row_id"])[[*columns, "split"]].reindex(index)
    if frame["split"].isna().any():
        raise InputError(
            "lacks latents of a member or a row of the features.", file=path, remedy="train the scale again."
        )
    shape = (len(members), len(row_id))
    return (
        frame[columns].to_numpy(np.float64).reshape(*shape, len(columns)),
        (frame["split"] == "train").to_numpy().reshape(shape),
    )


def players(
    columns: Mapping[str, Sequence[str]], kinds: Mapping[str, str], groups: Mapping[str, Sequence[str]]
) -> dict[str, list[int]]:
    """Inputs that an attribution tells apart.

    Args:
        columns: Names of the input columns by block, in the order of the inputs.
        kinds: continuous, categorical or simplex, by block.
        groups: Named groups of columns, or of whole blocks by their name.

    Returns:
        Indices of the columns of each player: the groups, then the columns left. The columns of a class or of
        site fractions stay together, since one of them alone cannot be missing.

    Raises:
        InputError: A group holds an unknown column, one of another group, or none.
    """
    names = [name for block in columns.values() for name in block]
    # A column may stand in several blocks: then it is one input at several places.
    place = {name: [i for i, other in enumerate(names) if other == name] for name in names}
    blocks = {block: [i for name in members for i in place[name]] for block, members in columns.items()}
    found: dict[str, list[int]] = {}
    taken: dict[int, str] = {}
    for group, members in groups.items():
        found[group] = []
        for name in members:
            if name not in place and name not in blocks:
                raise InputError(
                    "is not an input of the model.",
                    column=f"interpret.groups.{group}",
                    value=name,
                    remedy=f"name some of {names} or a block of {list(blocks)}.",
                )
            found[group] += place[name] if name in place else blocks[name]
        for i in found[group]:
            if i in taken:
                raise InputError(
                    f"is in group {taken[i]!r} as well.",
                    column=f"interpret.groups.{group}",
                    value=names[i],
                    remedy="put every input into one group.",
                )
            taken[i] = group
        if not found[group]:
            raise InputError("holds no input.", column=f"interpret.groups.{group}")
    for block, indices in blocks.items():
        left = [i for i in indices if i not in taken]
        together = kinds[block] != "continuous"
        more = {block: left} if together and left else {names[i]: place[names[i]] for i in left}
        if clash := set(more) & set(groups):
            raise InputError(
                f"bears the name of an input outside it: {sorted(clash)}.",
                column="interpret.groups",
                remedy="choose another name for the group.",
            )
        found |= more
    return found
