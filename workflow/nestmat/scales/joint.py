"""Train a scale together with its parents, end to end through the latents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import cycle
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from nestmat import tables
from nestmat.errors import InputError
from nestmat.models.base import Batch
from nestmat.models.joint import JointBatch, JointModel, JointPart
from nestmat.models.keys import ModelKey
from nestmat.models.noise import Noise
from nestmat.models.specification import Specification, specification_from
from nestmat.training.batches import Rows, pack
from nestmat.training.checkpoints import Trained
from nestmat.training.chunks import CHUNK_BYTES, Start, chunk_members, held_out, train_chunks
from nestmat.training.inner_folds import LABELLED, RowSplit
from nestmat.training.members import Members
from nestmat.training.scale_data import ParentLatents, ScaleData
from nestmat.training.scaling import Scaler, Scalers, fit_scalers
from nestmat.training.trainer import pick_device
from nestmat.training.weighting import require_weights


@dataclass(frozen=True)
class JointParent:
    """A parent scale that is trained together with its child.

    Attributes:
        features: Features of the parent.
        folds: Folds of the parent.
        child_features: Features of the parent for the rows of the child.
        specification: Model of the parent, also as plain dictionaries; its training options are not used.
    """

    features: str | Path
    folds: str | Path
    child_features: str | Path
    specification: Specification | Mapping


def joint_parents(specifications: Mapping[str, Mapping], files: Sequence[str]) -> dict[str, JointParent]:
    """Parents of a joint training from a flat list of files.

    Args:
        specifications: Model of each parent by its name.
        files: For each parent in that order its features, its folds, and its features for the child's rows.
    """
    kinds = (files[0::3], files[1::3], files[2::3])
    return {
        name: JointParent(features, folds, child_features, specification)
        for (name, specification), features, folds, child_features in zip(
            specifications.items(), *kinds, strict=True
        )
    }


@dataclass(frozen=True)
class _Parent:
    """A parent with its arrays, for the members of the child."""

    specification: Specification
    data: ScaleData
    members: Members
    scalers: Scalers
    on_child: ScaleData

    @classmethod
    def read(
        cls, name: str, source: JointParent, protocol: str, child: ScaleData, members: Members
    ) -> _Parent:
        specification = source.specification
        if not isinstance(specification, Specification):
            specification = specification_from(specification)
        if not specification.trains_jointly:
            raise InputError(
                f"The parent {name!r} is of the kind {specification.kind!r}, which is not trained jointly.",
                key="specification.joint",
                remedy="set joint: false.",
            )
        data = ScaleData.read(source.features)
        if foreign := [block for block in specification.inputs if block not in data.x]:
            raise InputError(
                f"The parent {name!r} reads {foreign}; a jointly trained parent reads only its own features.",
                key="specification.joint",
                remedy="set joint: false, or leave the grandparents out.",
            )
        parent_members = _parent_members(tables.read(source.folds, protocol=protocol), data.row_id, members)
        on_child = ScaleData.read(source.child_features, targets=False)
        if not np.array_equal(on_child.row_id, child.row_id):
            raise InputError(
                "The file does not hold the rows of the child in their order.",
                file=source.child_features,
                remedy="delete it and run the workflow again.",
            )
        inputs = on_child.renamed({block: data.columns[block] for block in specification.inputs})
        scalers = fit_scalers(specification, data, parent_members)
        return cls(specification, data, parent_members, scalers, replace(on_child, x=inputs))

    def features(self, chunk: np.ndarray, chosen: np.ndarray, device: torch.device) -> Tensor:
        """Scaled inputs of the parent's encoder for rows of the child, (members, features, n)."""
        encoder = replace(self.specification, heads={})
        return pack(encoder, self.on_child, self.members[chunk], self._scalers(chunk), chosen, device).inputs

    def rows(self, chunk: np.ndarray, chosen: np.ndarray, device: torch.device) -> Rows:
        """Some of the parent's own rows."""
        return pack(
            self.specification, self.data, self.members[chunk], self._scalers(chunk), chosen[chunk], device
        )

    def _scalers(self, chunk: np.ndarray) -> Scalers:
        return {name: scaler[chunk] for name, scaler in self.scalers.items()}


def _parent_members(folds: pd.DataFrame, row_id: np.ndarray, members: Members) -> Members:
    """The parent's rows for each member of the child: all that train outside its fold.

    A parent that does not know the protocol trains on every row.
    """
    splits = {int(repeat): RowSplit.of(folds, int(repeat), row_id) for repeat in folds["repeat"].unique()}
    none = np.full(len(row_id), -1)
    unsplit = RowSplit(0, none, np.full(len(row_id), LABELLED), inner=none, folds=0)
    rows: dict[str, list[np.ndarray]] = {"train": [], "validation": [], "unlabelled": []}
    for repeat, fold in zip(members.repeat.tolist(), members.fold.tolist(), strict=True):
        split = splits.get(repeat, unsplit)
        for name, row_sets in rows.items():
            row_sets.append(getattr(split, name)(fold))
    train, validation, unlabelled = (np.array(row_sets) for row_sets in rows.values())
    return replace(members, train=train, validation=validation, unlabelled=unlabelled)


@dataclass(frozen=True)
class _JointRows:
    """Rows of the child and of its parents.

    Attributes:
        child: Rows of the child; among their targets the parents' features, as ``<parent>/features``.
        parents: Rows of each parent: its training rows, or its validation rows with those of the child.
    """

    child: Rows
    parents: Mapping[str, Rows]

    def select_members(self, members: Tensor) -> _JointRows:
        return _JointRows(
            self.child.select_members(members),
            {name: rows.select_members(members) for name, rows in self.parents.items()},
        )

    def full_batch(self, noise: Noise | None = None) -> JointBatch:
        return self._batch(
            self.child.full_batch(noise), {k: rows.full_batch(noise) for k, rows in self.parents.items()}
        )

    def batches(self, size: int | None, keys: Tensor, epoch: int) -> Iterator[JointBatch]:
        # The child's rows make the epoch: a parent with fewer batches begins again, one with more is cut.
        parents = {name: cycle(rows.batches(size, keys, epoch)) for name, rows in self.parents.items()}
        for child in self.child.batches(size, keys, epoch):
            yield self._batch(child, {name: next(rows) for name, rows in parents.items()})

    def _batch(self, child: Batch, parents: Mapping[str, Batch]) -> JointBatch:
        return JointBatch(child, parents, {name: child.targets[f"{name}/features"] for name in parents})


@dataclass(frozen=True)
class _JointTraining:
    """A child and its parents before they are trained.

    Attributes:
        specification: The child with its parents among inputs and heads.
        own: The child without its parents.
        data: Rows of the child, with empty blocks of the parents.
        members: Members of the child.
        parents: Parents by name.
        device: Where the tensors go.
    """

    specification: Specification
    own: Specification
    data: ScaleData
    members: Members
    parents: Mapping[str, _Parent]
    device: torch.device

    @cached_property
    def scalers(self) -> Scalers:
        """Scalers of the child's own blocks and targets."""
        return fit_scalers(self.own, self.data, self.members)

    @cached_property
    def stopping_rows(self) -> np.ndarray:
        """Training rows that each member is stopped by, (members, n)."""
        return held_out(self.specification, self.data, self.members)

    def models(self, seeds: Sequence[int]) -> tuple[JointPart, dict[str, JointPart]]:
        """Child and parents of some members, with first weights."""
        child = self.specification.network(self.data.shapes, seeds)
        parents = {
            name: parent.specification.network(parent.data.shapes, seeds)
            for name, parent in self.parents.items()
        }
        return cast(JointPart, child), cast(dict[str, JointPart], parents)

    def start(self, chunk: np.ndarray) -> Start:
        """A chunk of members before training."""
        members = self.members[chunk]
        model = JointModel(*self.models(self.members.keys()[chunk].tolist()))
        model.flat = model.flat.to(self.device)
        train = {name: p.rows(chunk, p.members.train, self.device) for name, p in self.parents.items()}
        validation = {
            name: p.rows(chunk, p.members.validation, self.device) for name, p in self.parents.items()
        }
        stopping = self.stopping_rows
        return Start(
            model,
            self._rows(chunk, members.train & ~stopping[chunk], train),
            self._rows(chunk, stopping[chunk], train) if stopping.any() else None,
            self._rows(chunk, members.validation, validation) if members.validation.any() else None,
        )

    def _rows(self, chunk: np.ndarray, chosen: np.ndarray, parents: Mapping[str, Rows]) -> _JointRows:
        scalers = {name: scaler[chunk] for name, scaler in self.scalers.items()}
        child = pack(self.own, self.data, self.members[chunk], scalers, chosen, self.device)
        features = {
            f"{name}/features": parent.features(chunk, chosen, self.device)
            for name, parent in self.parents.items()
        }
        return _JointRows(replace(child, targets={**child.targets, **features}), parents)

    def trained(self, flat: Tensor, key: ModelKey) -> Trained:
        """The trained members with their parents.

        Args:
            flat: Parameters of the child and its parents, (members, parameters).
            key: Scale, protocol and name of the child.
        """
        child, parents = self.models([])
        sizes = [model.layout.size for model in (child, *parents.values())]
        child_flat, *parent_flats = flat.split(sizes, dim=1)
        joint = {
            name: Trained.of(
                parent.data,
                self.members,
                parent_flat,
                parent.scalers,
                parent.specification,
                key._replace(scale=name),
            )
            for (name, parent), parent_flat in zip(self.parents.items(), parent_flats, strict=True)
        }
        identities = {
            name: Scaler.identity(len(self.members), len(self.data.columns[name])) for name in self.parents
        }
        scalers = {**self.scalers, **identities}
        return Trained.of(self.data, self.members, child_flat, scalers, self.specification, key, joint)


def train_jointly(
    specification: Specification,
    data: ScaleData,
    members: Members,
    parents: Mapping[str, JointParent],
    key: ModelKey,
    *,
    device: str = "auto",
    budget: int = CHUNK_BYTES,
) -> tuple[Trained, pd.DataFrame, np.ndarray, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Train a model of a scale and its parents' models end to end.

    The loss is the child's on the child's rows, with latents that the parents' encoders compute at each
    step, plus each parent's on its own rows. The latents reach the child unscaled, and the child's training
    options hold.

    Args:
        specification: Model of the child.
        data: Rows of the child, without the blocks of ``parents``.
        members: Members of the child.
        parents: Its parents by name.
        key: Scale, protocol and name of the child.
        device: ``auto``, ``cpu`` or ``cuda``.
        budget: Bytes a chunk of members may take.

    Returns:
        The trained members with their parents, the history table, and latents and predictions on the child's
        rows as `Trained.apply` returns them.

    Raises:
        InputError: A parent does not fit, or training diverged.
    """
    parent_rows = {
        name: _Parent.read(name, source, key.protocol, data, members) for name, source in parents.items()
    }
    require_weights(data.weights, members.train, members.fold)
    for name, parent in parent_rows.items():
        require_weights(parent.data.weights, parent.members.train, members.fold)
        latents = parent.specification.encoder.latents
        empty = ParentLatents(
            members.repeat, members.fold, members.inner, members.seed, np.empty((0, len(data), latents))
        )
        data = data.with_parent(name, empty, [f"z{i}" for i in range(latents)])
    own = replace(
        specification,
        inputs=tuple(block for block in specification.inputs if block not in parents),
        heads={name: head for name, head in specification.heads.items() if name not in parents},
    )
    training = _JointTraining(specification, own, data, members, parent_rows, pick_device(device))
    # Parents' rows and features are stored and computed with the child's.
    share = budget // (1 + 2 * len(parents))
    chunks = chunk_members(own, data, members, share)
    flat, history = train_chunks(specification.training, members, chunks, training.start, key.model)
    trained = training.trained(flat, key)
    all_members = np.arange(len(members))
    blocks = {name: data.x[name] for name in own.inputs}
    for name, parent in parent_rows.items():
        blocks[name] = trained.joint[name].apply(parent.on_child.x, all_members)[0]
    return trained, history, *trained.apply(blocks, all_members)
