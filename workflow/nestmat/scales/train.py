"""Train all members of one model of a scale, and write weights, curves, predictions and latents."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from nestmat import tables
from nestmat.errors import InputError
from nestmat.models.autoencoder import Autoencoder
from nestmat.models.specification import Model
from nestmat.training.checkpoints import Trained, specification_from
from nestmat.training.data import ScaleData
from nestmat.training.members import Members, hold_out
from nestmat.training.progress import reporting
from nestmat.training.rows import pack
from nestmat.training.scaling import Scalers, fit_scalers
from nestmat.training.trainer import Trainer, pick_device

log = logging.getLogger(__name__)

# Bytes that the tensors of one chunk of members may take.
CHUNK_BYTES = 300_000_000


def chunk_members(specification: Model, data: ScaleData, members: Members, budget: int) -> list[np.ndarray]:
    """Divide members into chunks that fit a memory budget.

    Members of a chunk have the same number of steps an epoch: the longest would make the others take empty
    steps.

    Args:
        specification: Model to train.
        data: Rows of the scale.
        members: All members.
        budget: Bytes a chunk.

    Returns:
        Indices into ``members`` of each chunk.
    """
    count = members.train.sum(axis=1)
    size = specification.training.batch_size
    steps = np.ones_like(count) if size is None else -(-count // size)
    blocks = {*specification.inputs, *specification.heads}
    stored = sum(len(data.columns.get(name, "1")) for name in blocks)
    heads = specification.heads.values()
    hidden = sum(specification.encoder.hidden) + sum(sum(h.hidden) for h in heads)
    rows = int(count.max()) if size is None else size
    numbers = 3 * len(data) * stored + 8 * rows * (hidden + stored) + 8 * hidden * (stored + 30)
    most = max(1, budget // (4 * numbers))
    chunks = []
    for value in np.unique(steps):
        same = np.flatnonzero(steps == value)
        same = same[np.argsort(count[same], kind="stable")]
        chunks += np.array_split(same, -(-len(same) // most))
    return chunks


def train_members(
    specification: Model,
    data: ScaleData,
    members: Members,
    *,
    device: str = "auto",
    budget: int = CHUNK_BYTES,
    title: str = "training",
) -> tuple[torch.Tensor, Scalers, pd.DataFrame]:
    """Train members in chunks.

    Args:
        specification: The model.
        data: Rows of the scale, parents' latents included.
        members: Members and their rows.
        device: ``auto``, ``cpu`` or ``cuda``.
        budget: Bytes a chunk of members may take.
        title: Name in progress reports.

    Returns:
        Parameters (members, parameters), the scalers, and the history table.
    """
    training, target = specification.training, pick_device(device)
    scalers = fit_scalers(specification, data, members)
    keys = members.keys()
    train, held = members.train, np.zeros_like(members.train)
    if training.stop == "early":
        held = hold_out(train, data.group, training.holdout, keys)
    found: list[torch.Tensor | None] = [None] * len(members)
    history, done = [], 0
    with reporting(title, len(members), training.epochs) as report:
        for chunk in chunk_members(specification, data, members, budget):
            part, scaled = members[chunk], {name: scaler[chunk] for name, scaler in scalers.items()}
            model = Autoencoder(specification, data.shapes, keys[chunk].tolist())
            model.flat = model.flat.to(target)

            def rows(chosen: np.ndarray, part=part, scaled=scaled):
                return pack(specification, data, part, scaled, chosen, target)

            trainer = Trainer(
                model,
                training,
                torch.from_numpy(keys[chunk].astype(np.uint32).view(np.int32).copy()).to(target),
                rows(part.train & ~held[chunk]),
                rows(held[chunk]) if training.stop == "early" else None,
                rows(part.validation) if part.validation.any() else None,
            )
            curves = trainer.fit(partial(report, done, len(chunk)))
            history.append(curves.frame(chunk))
            for place, member in enumerate(chunk):
                found[member] = model.flat[place].cpu()
            done += len(chunk)
    flat = torch.stack([parameters for parameters in found if parameters is not None])
    if bad := int((~torch.isfinite(flat)).any(dim=1).sum()):
        raise InputError(
            f"{bad} of {len(flat)} members diverged.",
            column="training.learning_rate",
            value=training.learning_rate,
            remedy="lower the learning rate.",
        )
    return flat, scalers, pd.concat(history, ignore_index=True)


def predictions_table(
    protocol: str,
    model: str,
    data: ScaleData,
    members: Members,
    predictions: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> pd.DataFrame:
    """The predictions of members on their rows, each seed and the ensemble over seeds.

    Members without an inner fold give training and validation rows of each seed and of the ensemble
    (seed -1); members with one give their held-out rows, of the ensemble only.

    Args:
        protocol: Name of the protocol.
        model: Name of the model.
        data: Rows of the scale.
        members: The members.
        predictions: Mean and standard deviation by target, (members, n) each, in physical units.
    """
    keys = np.stack([members.repeat, members.fold, members.inner], axis=1)
    groups, group = np.unique(keys, axis=0, return_inverse=True)
    parts = []

    def add(target: str, key: Sequence[int], seed: int, split: str, rows: np.ndarray, mean, std) -> None:
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
                    "true": data.y[target][rows],
                    "mean": mean[rows],
                    "std": std[rows],
                }
            )
        )

    for target, (means, stds) in predictions.items():
        for number, key in enumerate(groups):
            index = np.flatnonzero(group.ravel() == number)
            mean, std = ensemble(means[index], stds[index])
            validation = members.validation[index[0]]
            if key[2] >= 0:
                add(target, key, -1, "inner", validation, mean, std)
                continue
            for split, rows in (("train", members.train[index[0]]), ("validation", validation)):
                if not rows.any():
                    continue
                add(target, key, -1, split, rows, mean, std)
                for i in index:
                    add(target, key, members.seed[i], split, rows, means[i], stds[i])
    frame = pd.concat(parts, ignore_index=True)
    frame.insert(0, "protocol", protocol)
    frame.insert(1, "model", model)
    return frame


def ensemble(means: np.ndarray, stds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the equal mixture of members (Lakshminarayanan et al. 2017, eq. 3).

    Args:
        means: (members, ...).
        stds: (members, ...), NaN where a member states none.

    Returns:
        Mean, and standard deviation: NaN where one member alone states none.
    """
    stated = np.isfinite(stds).all(axis=0)
    between = means.var(axis=0)
    variance = between + np.where(stated, np.square(np.nan_to_num(stds)).mean(axis=0), 0.0)
    return means.mean(axis=0), np.where(stated | (len(means) > 1), np.sqrt(variance), np.nan)


def member_rows(members: pd.DataFrame, row_id: np.ndarray) -> pd.DataFrame:
    """Member columns and row_id for every pair of member and row, members outermost."""
    frame = members.loc[members.index.repeat(len(row_id))].reset_index(drop=True).astype("int32")
    frame["row_id"] = np.tile(row_id, len(members))
    return frame


LATENT_KEYS: dict[str, tables.Column] = {
    **{name: tables.Column("int32", role="key") for name in ("member", "repeat", "fold", "inner", "seed")},
    "row_id": tables.Column("int64", role="key"),
}


def read_scale(
    features: str | Path, specification: Model, parents: Mapping[str, str | Path] | None
) -> ScaleData:
    """Features of a scale with the propagated latents of those parents that a model uses."""
    data = ScaleData.read(features)
    for name, path in (parents or {}).items():
        if name in {*specification.inputs, *specification.heads}:
            data = data.with_propagated(name, path)
    return data


def trained_from(
    data: ScaleData,
    members: Members,
    flat: torch.Tensor,
    scalers: Scalers,
    specification: Model,
    *,
    scale: str,
    name: str,
    protocol: str,
) -> Trained:
    """Put trained parameters together with what is needed to apply them."""
    return Trained(
        scale=scale,
        model=name,
        protocol=protocol,
        specification=specification,
        flat=flat,
        scalers=scalers,
        members=members.frame(),
        columns=data.columns,
        kinds=data.kinds,
        targets=list(data.y),
        parents=list(data.parents),
        units=data.units,
        source=data.source,
        facts={"rows": len(data), "seeds": members.keys().tolist()},
    )


def train_scale(
    features: str | Path,
    folds: str | Path,
    *,
    scale: str,
    protocol: str,
    name: str,
    specification: Model | Mapping[str, Any],
    weights: str | Path,
    card: str | Path,
    history: str | Path,
    predictions: str | Path,
    latents: str | Path,
    parents: Mapping[str, str | Path] | None = None,
    inner_folds: int = 0,
    device: str = "auto",
) -> Trained:
    """Train one model of a scale in one protocol and write what comes of it.

    Args:
        features: Features of the scale.
        folds: Folds of the scale.
        scale: Name of the scale.
        protocol: Protocol of the folds.
        name: Name of the model.
        specification: The model, also as plain dictionaries.
        weights: Output, safetensors.
        card: Output, JSON: all that is needed to apply the weights.
        history: Output, learning curves.
        predictions: Output, in physical units.
        latents: Output, latents of members without an inner fold.
        parents: Propagated latents of each parent scale for the rows of this one.
        inner_folds: Inner folds to train on as well; 0 for none.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        InputError: The configuration does not fit the features, or training diverged.
    """
    if not isinstance(specification, Model):
        specification = specification_from(specification)
    data = read_scale(features, specification, parents)
    members = Members.build(
        tables.read(folds, protocol=protocol), data.row_id, specification.training.seeds, inner_folds
    )
    log.info("%s: %d members on %d rows", name, len(members), len(data))
    flat, scalers, curves = train_members(specification, data, members, device=device, title=name)
    trained = trained_from(
        data, members, flat, scalers, specification, scale=scale, name=name, protocol=protocol
    )
    z, predicted = predict_members(trained, data, members)
    provenance = {"scale": scale, "protocol": protocol, "model": name}
    trained.save(weights, card)
    tables.write(history, curves, tables.HISTORY, provenance)
    tables.write(
        predictions,
        predictions_table(protocol, name, data, members, predicted),
        tables.PREDICTIONS,
        provenance,
    )
    _write_latents(latents, data, members, z, provenance)
    return trained


def predict_members(
    trained: Trained, data: ScaleData, members: Members
) -> tuple[np.ndarray, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Latents and predictions of every member on every row; shapes as `Trained.apply`."""
    blocks = {
        name: data.block(name, members.repeat, members.fold, members.seed)
        for name in trained.specification.inputs
    }
    return trained.apply(blocks, np.arange(len(members)))


def _write_latents(
    path: str | Path, data: ScaleData, members: Members, z: np.ndarray, provenance: dict[str, Any]
) -> None:
    whole = np.flatnonzero(members.inner == -1)
    frame = member_rows(members.frame().loc[whole], data.row_id)
    frame["split"] = np.where(members.train[whole].ravel(), "train", "validation")
    columns = [f"z{i}" for i in range(z.shape[-1])]
    values = z[whole].reshape(-1, z.shape[-1])
    frame = pd.concat([frame, pd.DataFrame(values, columns=columns)], axis=1)
    schema = {
        **LATENT_KEYS,
        "split": tables.Column("string"),
        **{column: tables.Column("float32", role="latent") for column in columns},
    }
    tables.write(path, frame, schema, provenance)


def with_latents(specification: Model, latents: int) -> Model:
    """The same model with another number of latents."""
    return replace(specification, encoder=replace(specification.encoder, latents=latents))
