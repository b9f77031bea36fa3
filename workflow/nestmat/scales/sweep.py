"""Train a model with several latent sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.errors import InputError
from nestmat.models.keys import ModelKey
from nestmat.models.specification import Specification
from nestmat.scales.train import ensemble, read_scale
from nestmat.training.checkpoints import Trained
from nestmat.training.chunks import train_members
from nestmat.training.inner_folds import read_row_splits
from nestmat.training.members import Members
from nestmat.training.scale_data import ScaleData

SWEEP: tables.Schema = {
    "latents": tables.Column("int32", description="number of latent variables"),
    "target": tables.Column("string", description="target, or block that is decoded"),
    "repeat": tables.Column("int32"),
    "fold": tables.Column("int32"),
    "metric": tables.Column("string"),
    "value": tables.Column("float64"),
    "unit": tables.Column("string"),
}


@dataclass(frozen=True, kw_only=True)
class SweepJob:
    """The training of one model with several numbers of latents.

    Attributes:
        key: Scale, protocol and name of the model.
        specification: What the model is made of.
        features: Features of the scale.
        folds: Folds of the scale.
        sweep: Output: MAE and RMSE, of a class the accuracy, of the ensemble over seeds on each validation
            fold by latent size, and the loss of every head there (metric ``loss``, scaled, mean over seeds).
        sizes: Numbers of latents.
        epochs: Epochs, where they differ from the model's.
        parents: Propagated latents of each parent scale for the rows of this one.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    key: ModelKey
    specification: Specification
    features: str | Path
    folds: str | Path
    sweep: str | Path
    sizes: Sequence[int]
    epochs: int | None = None
    parents: Mapping[str, str | Path] = field(default_factory=dict)
    device: str = "auto"


def sweep_latents(job: SweepJob) -> None:
    """Train a model with each latent size on the first repeat of a protocol.

    Args:
        job: The model, its inputs and its output.

    Raises:
        InputError: The protocol has no validation rows.
    """
    specification, protocol = job.specification, job.key.protocol
    if job.epochs is not None:
        training = replace(specification.training, epochs=job.epochs)
        specification = replace(specification, training=training)
    data = read_scale(job.features, specification, job.parents, protocol)
    splits = read_row_splits(job.folds, protocol, data.row_id)
    members = Members.build(splits[:1], specification.training.seeds)
    members = members[np.flatnonzero(members.fold >= 0)]
    if not len(members):
        raise InputError(
            f"The protocol {protocol!r} has no validation folds to sweep on.", file=job.folds, value=protocol
        )
    parts = []
    for latents in sorted(set(job.sizes)):
        resized = replace(specification, encoder=replace(specification.encoder, latents=latents))
        flat, scalers, curves = train_members(
            resized, data, members, device=job.device, title=f"{job.key.model}, {latents} latents"
        )
        trained = Trained.of(data, members, flat, scalers, resized, job.key)
        _, predictions = trained.predict_rows(data, members)
        part = pd.DataFrame([*_errors(data, members, predictions), *_losses(curves, members, specification)])
        parts.append(part.assign(latents=latents))
    tables.write(job.sweep, pd.concat(parts, ignore_index=True), SWEEP, job.key.provenance)


def _errors(
    data: ScaleData, members: Members, predicted: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> Iterator[dict[str, Any]]:
    for target, (means, stds) in predicted.items():
        for fold in np.unique(members.fold):
            index = np.flatnonzero(members.fold == fold)
            rows = members.validation[index[0]]
            mean, true = ensemble(means[index], stds[index])[0][rows], data.y[target][rows]
            error = mean - true
            measured = {"mae": np.abs(error).mean(), "rmse": np.sqrt(np.square(error).mean())}
            if target in data.classes:
                measured = {"accuracy": ((mean >= 0.5) == (true == 1)).mean()}
            for metric, value in measured.items():
                yield {
                    "target": target,
                    "repeat": 0,
                    "fold": int(fold),
                    "metric": metric,
                    "value": float(value),
                    "unit": data.units.get(target, ""),
                }


def _losses(curves: pd.DataFrame, members: Members, specification: Specification) -> Iterator[dict[str, Any]]:
    validation_losses = curves[
        (curves["split"] == "validation") & curves["term"].isin([*specification.heads])
    ]
    last = validation_losses[
        validation_losses["epoch"] == validation_losses.groupby("member")["epoch"].transform("max")
    ]
    last = last.assign(fold=members.fold[last["member"]])
    mean = last.groupby(["fold", "term"], as_index=False)["loss"].mean()
    for fold, term, value in zip(mean["fold"], mean["term"], mean["loss"], strict=True):
        yield {"target": term, "repeat": 0, "fold": fold, "metric": "loss", "value": value, "unit": ""}
