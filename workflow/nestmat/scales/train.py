"""Train all members of one model of a scale, and write weights, curves, predictions and latents."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from nestmat import tables
from nestmat.errors import InputError
from nestmat.models.keys import ModelKey
from nestmat.models.specification import Specification
from nestmat.scales.joint import JointParent, train_jointly
from nestmat.scales.links import mixture
from nestmat.training.checkpoints import Trained
from nestmat.training.chunks import train_members
from nestmat.training.inner_folds import UNLABELLED, UNUSED, read_row_splits
from nestmat.training.members import MEMBER_COLUMNS, Members
from nestmat.training.scale_data import PseudoLabels, ScaleData

log = logging.getLogger(__name__)


def predictions_table(
    protocol: str,
    model: str,
    data: ScaleData,
    members: Members,
    predictions: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> pd.DataFrame:
    """The predictions of members on their rows, each seed and the ensemble over seeds.

    Members without a pair or inner fold give training and validation rows of each seed and of the ensemble
    (seed -1); members with one give their held-out rows, of the ensemble only, under the fold whose stack
    learns on them.

    Args:
        protocol: Name of the protocol.
        model: Name of the model.
        data: Rows of the scale.
        members: The members.
        predictions: Mean and standard deviation by quantity, (members, n) each, in physical units.
    """
    keys = np.stack([members.repeat, members.fold, members.inner], axis=1)
    groups, group = np.unique(keys, axis=0, return_inverse=True)
    parts = []

    def add(target: str, key: Sequence[int], seed: int, split: str, rows: np.ndarray, mean, std) -> None:
        if not rows.any():
            return
        repeat, fold, inner = (np.int32(k) for k in key)
        parts.append(
            pd.DataFrame(
                {
                    "target": target,
                    "row_id": data.row_id[rows],
                    "repeat": repeat,
                    "fold": fold,
                    "inner": inner,
                    "seed": np.int32(seed),
                    "split": split,
                    "true": measured[target][rows],
                    "mean": mean[rows],
                    "std": std[rows],
                }
            )
        )

    measured = {quantity: data.measured(quantity) for quantity in predictions}
    for target, (means, stds) in predictions.items():
        for number, key in enumerate(groups):
            index = np.flatnonzero(group.ravel() == number)
            mean, std = ensemble(means[index], stds[index])
            repeat, fold, inner = map(int, key)
            if inner >= 0:
                row_split = members.splits[repeat]
                for stack_key, rows in row_split.held_out(fold, inner).items():
                    add(target, (repeat, *stack_key), -1, row_split.split_name(inner), rows, mean, std)
                continue
            row_sets = {"train": members.train[index[0]], "validation": members.validation[index[0]]}
            for split, rows in row_sets.items():
                add(target, key, -1, split, rows, mean, std)
                for i in index:
                    add(target, key, members.seed[i], split, rows, means[i], stds[i])
    # A scale without targets predicts nothing.
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(tables.PREDICTIONS))
    return frame.assign(protocol=protocol, model=model)[list(tables.PREDICTIONS)]


def ensemble(means: np.ndarray, stds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the equal mixture of members, as arrays; see `chain.mixture`.

    Args:
        means: (members, ...).
        stds: (members, ...), NaN where a member states none.

    Returns:
        Mean, and standard deviation: NaN where one member alone states none.
    """
    mean, std = mixture(torch.from_numpy(means), torch.from_numpy(stds))
    return mean.numpy(), std.numpy()


def member_rows(members: pd.DataFrame, row_id: np.ndarray) -> pd.DataFrame:
    """Member columns and row_id for every pair of member and row, members outermost."""
    frame = members.loc[members.index.repeat(len(row_id))].reset_index(drop=True).astype("int32")
    frame["row_id"] = np.tile(row_id, len(members))
    return frame


LATENT_KEYS: dict[str, tables.Column] = {
    **{name: tables.Column("int32", role="key") for name in MEMBER_COLUMNS},
    "row_id": tables.Column("int64", role="key"),
}


def read_scale(
    features: str | Path,
    specification: Specification,
    parents: Mapping[str, str | Path],
    protocol: str,
) -> ScaleData:
    """Features of a scale with the propagated latents of those parents that a model uses."""
    data = ScaleData.read(features)
    for name, path in parents.items():
        if name in {*specification.inputs, *specification.heads}:
            data = data.with_propagated(name, path, protocol)
    return data


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """The training of one model of a scale in one protocol.

    Attributes:
        key: Scale, protocol and name of the model.
        specification: What the model is made of.
        features: Features of the scale.
        folds: Folds of the scale.
        weights: Output, safetensors.
        card: Output, JSON: all that is needed to apply the weights.
        history: Output, learning curves.
        predictions: Output, in physical units.
        latents: Output, latents of members without an inner fold.
        parents: Propagated latents of each parent scale for the rows of this one.
        joint: Parent scales to train together with this one, where the specification has ``joint: true``.
        stacked: Whether to train members for a stack as well, which leave out pairs of folds; see
            `nestmat.training.inner_folds`.
        teacher: Predictions of baselines in the protocol, where one of them teaches the model.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        InputError: The parents or the stack do not fit the specification.
    """

    key: ModelKey
    specification: Specification
    features: str | Path
    folds: str | Path
    weights: str | Path
    card: str | Path
    history: str | Path
    predictions: str | Path
    latents: str | Path
    parents: Mapping[str, str | Path] = field(default_factory=dict)
    joint: Mapping[str, JointParent] = field(default_factory=dict)
    stacked: bool = False
    teacher: str | Path | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.specification.joint != bool(self.joint):
            raise InputError(
                "A joint training needs the features and folds of its parents; other trainings take none.",
                key="specification.joint",
                value=self.specification.joint,
            )
        if self.joint and self.stacked:
            raise InputError(
                "A parent trained with its child would see rows that the child holds out for a stack.",
                key="specification.joint",
                remedy="keep models that are trained jointly out of the stack.",
            )

    def read(self) -> tuple[ScaleData, Members]:
        """Rows of the scale, and the members of the model.

        Raises:
            InputError: A file is not readable or lacks rows.
        """
        data = read_scale(self.features, self.specification, self.parents, self.key.protocol)
        if self.teacher is not None and self.specification.teacher is not None:
            pseudo_labels = PseudoLabels.read(self.teacher, self.specification.teacher, data.row_id)
            data = replace(data, pseudo_labels=pseudo_labels)
        splits = read_row_splits(self.folds, self.key.protocol, data.row_id)
        return data, Members.build(splits, self.specification.training.seeds, self.stacked)


def train_scale(job: TrainingJob) -> Trained:
    """Train one model of a scale in one protocol and write its weights, curves, predictions and latents.

    Args:
        job: The model, its inputs and its outputs.

    Returns:
        The trained members.

    Raises:
        InputError: The configuration does not fit the features, or training diverged.
    """
    data, members = job.read()
    log.info("%s: %d members on %d rows", job.key.model, len(members), len(data))
    if job.joint:
        trained, curves, z, predictions = train_jointly(
            job.specification, data, members, job.joint, job.key, device=job.device
        )
    else:
        flat, scalers, curves = train_members(
            job.specification, data, members, device=job.device, title=job.key.model
        )
        trained = Trained.of(data, members, flat, scalers, job.specification, job.key)
        z, predictions = trained.predict_rows(data, members)
    trained.facts["reconstruction"] = trained.reconstruction(data, members, z)
    provenance = job.key.provenance
    trained.save(job.weights, job.card)
    tables.write(job.history, curves, tables.HISTORY, provenance)
    tables.write(
        job.predictions,
        predictions_table(job.key.protocol, job.key.model, data, members, predictions),
        tables.PREDICTIONS,
        provenance,
    )
    _write_latents(job.latents, data, members, z, provenance)
    return trained


def _write_latents(
    path: str | Path, data: ScaleData, members: Members, z: np.ndarray, provenance: dict[str, Any]
) -> None:
    whole = np.flatnonzero(members.inner == -1)
    frame = member_rows(members.frame().loc[whole], data.row_id)
    row_sets = [part[whole].ravel() for part in (members.train, members.validation, members.unlabelled)]
    frame["split"] = np.select(row_sets, ["train", "validation", UNLABELLED], UNUSED)
    columns = [f"z{i}" for i in range(z.shape[-1])]
    values = z[whole].reshape(-1, z.shape[-1])
    frame = pd.concat([frame, pd.DataFrame(values, columns=columns)], axis=1)
    schema = {
        **LATENT_KEYS,
        "split": tables.Column("string"),
        **{column: tables.Column("float32", role="latent") for column in columns},
    }
    tables.write(path, frame, schema, provenance)
