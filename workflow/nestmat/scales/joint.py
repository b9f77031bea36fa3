"""Train a scale together with its parents, end to end through the latents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from nestmat import tables
from nestmat.errors import InputError
from nestmat.models.autoencoder.network import Autoencoder
from nestmat.models.autoencoder.specification import AutoencoderSpecification
from nestmat.models.base import Batch
from nestmat.models.joint import JointBatch, JointModel
from nestmat.models.noise import Noise
from nestmat.models.specification import Specification, specification_from
from nestmat.training.batches import Rows, pack
from nestmat.training.checkpoints import Trained
from nestmat.training.chunks import CHUNK_BYTES, Start, chunk_members, held_out, train_chunks
from nestmat.training.inner_folds import LABELLED, Division
from nestmat.training.members import Members
from nestmat.training.scale_data import ParentLatents, ScaleData
from nestmat.training.scaling import Scaler, Scalers, fit_scalers
from nestmat.training.trainer import pick_device


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
        if not isinstance(specification, AutoencoderSpecification):
            raise InputError(
                f"The parent {name!r} is of the kind {specification.kind!r}, and autoencoders alone are "
                "trained jointly.",
                column="specification.joint",
                remedy="set joint: false.",
            )
        data = ScaleData.read(source.features)
        if foreign := [block for block in specification.inputs if block not in data.x]:
            raise InputError(
                f"parent {name!r} reads {foreign}; a jointly trained parent reads its own features alone.",
                column="specification.joint",
                remedy="set joint: false, or leave the grandparents out.",
            )
        theirs = _parent_members(tables.read(source.folds, protocol=protocol), data.row_id, members)
        on_child = ScaleData.read(source.child_features, targets=False)
        if not np.array_equal(on_child.row_id, child.row_id):
            raise InputError(
                "does not hold the rows of the child, in their order.",
                file=source.child_features,
                remedy="delete it and run the workflow again.",
            )
        inputs = on_child.renamed({block: data.columns[block] for block in specification.inputs})
        scalers = fit_scalers(specification, data, theirs)
        return cls(specification, data, theirs, scalers, replace(on_child, x=inputs))

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
    known = {int(repeat): Division.of(folds, int(repeat), row_id) for repeat in folds["repeat"].unique()}
    every = Division(0, *(np.full(len(row_id), value) for value in (-1, LABELLED, -1)))
    rows: dict[str, list[np.ndarray]] = {"train": [], "validation": [], "unlabelled": []}
    for repeat, fold in zip(members.repeat.tolist(), members.fold.tolist(), strict=True):
        division = known.get(repeat, every)
        for name, found in rows.items():
            found.append(getattr(division, name)(fold))
    return replace(members, **{name: np.array(found) for name, found in rows.items()})


@dataclass(frozen=True)
class _JointRows:
    """Rows of the child and of its parents.

    Attributes:
        child: Rows of the child; the parents' features for them ride along as ``<parent>/features``.
        parents: Rows of each parent: its training rows, or its validation rows beside those of the child.
    """

    child: Rows
    parents: Mapping[str, Rows]

    def some(self, members: Tensor) -> _JointRows:
        return _JointRows(
            self.child.some(members), {name: rows.some(members) for name, rows in self.parents.items()}
        )

    def whole(self, noise: Noise | None = None) -> JointBatch:
        return self._batch(
            self.child.whole(noise), {k: rows.whole(noise) for k, rows in self.parents.items()}
        )

    def batches(self, size: int | None, keys: Tensor, epoch: int) -> Iterator[JointBatch]:
        # The child's rows make the epoch: a parent with fewer batches begins again, one with more is cut.
        parents = {name: cycle(rows.batches(size, keys, epoch)) for name, rows in self.parents.items()}
        for child in self.child.batches(size, keys, epoch):
            yield self._batch(child, {name: next(rows) for name, rows in parents.items()})

    def _batch(self, child: Batch, parents: Mapping[str, Batch]) -> JointBatch:
        return JointBatch(child, parents, {name: child.targets[f"{name}/features"] for name in parents})


def train_jointly(
    specification: Specification,
    data: ScaleData,
    members: Members,
    parents: Mapping[str, JointParent],
    *,
    scale: str,
    name: str,
    protocol: str,
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
        scale: Name of the child's scale.
        name: Name of the model.
        protocol: Protocol of the folds.
        device: ``auto``, ``cpu`` or ``cuda``.
        budget: Bytes a chunk of members may take.

    Returns:
        The trained members with their parents, the history table, and latents and predictions on the child's
        rows as `Trained.apply` gives them.

    Raises:
        InputError: A parent does not fit, or training diverged.
    """
    target = pick_device(device)
    read = {key: _Parent.read(key, source, protocol, data, members) for key, source in parents.items()}
    for key, parent in read.items():
        latents = parent.specification.encoder.latents
        empty = ParentLatents(
            members.repeat, members.fold, members.inner, members.seed, np.empty((0, len(data), latents))
        )
        data = data.with_parent(key, empty, [f"z{i}" for i in range(latents)])
    own = replace(
        specification,
        inputs=tuple(block for block in specification.inputs if block not in read),
        heads={key: head for key, head in specification.heads.items() if key not in read},
    )
    scalers, held = fit_scalers(own, data, members), held_out(specification, data, members)

    def start(chunk: np.ndarray) -> Start:
        part, scaled = members[chunk], {key: scaler[chunk] for key, scaler in scalers.items()}
        seeds = members.keys()[chunk].tolist()
        model = JointModel(
            Autoencoder(specification, data.shapes, seeds),
            {key: Autoencoder(p.specification, p.data.shapes, seeds) for key, p in read.items()},
        )
        model.flat = model.flat.to(target)
        theirs = {key: p.rows(chunk, p.members.train, target) for key, p in read.items()}
        unseen = {key: p.rows(chunk, p.members.validation, target) for key, p in read.items()}

        def rows(chosen: np.ndarray, theirs: Mapping[str, Rows] = theirs) -> _JointRows:
            child = pack(own, data, part, scaled, chosen, target)
            riding = {f"{key}/features": p.features(chunk, chosen, target) for key, p in read.items()}
            return _JointRows(replace(child, targets={**child.targets, **riding}), theirs)

        return Start(
            model,
            rows(part.train & ~held[chunk]),
            rows(held[chunk]) if held.any() else None,
            rows(part.validation, unseen) if part.validation.any() else None,
        )

    # Parents' rows and features are stored and computed beside the child's.
    share = budget // (1 + 2 * len(read))
    flat, history = train_chunks(
        specification.training, members, chunk_members(own, data, members, share), start, name
    )
    sizes = [Autoencoder(specification, data.shapes, []).layout.size]
    sizes += [Autoencoder(p.specification, p.data.shapes, []).layout.size for p in read.values()]
    child_flat, *parent_flats = flat.split(sizes, dim=1)
    theirs = {
        key: Trained.of(
            p.data, members, part, p.scalers, p.specification, scale=key, name=name, protocol=protocol
        )
        for (key, p), part in zip(read.items(), parent_flats, strict=True)
    }
    scalers |= {key: Scaler.identity(len(members), len(data.columns[key])) for key in read}
    trained = Trained.of(
        data,
        members,
        child_flat,
        scalers,
        specification,
        scale=scale,
        name=name,
        protocol=protocol,
        joint=theirs,
    )
    every = np.arange(len(members))
    blocks = {key: data.x[key] for key in own.inputs}
    blocks |= {key: theirs[key].apply(parent.on_child.x, every)[0] for key, parent in read.items()}
    return trained, history, *trained.apply(blocks, every)
