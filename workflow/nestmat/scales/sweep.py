"""Train a model with several latent sizes."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.errors import InputError
from nestmat.models.specification import Specification, specification_from
from nestmat.scales.train import ensemble, read_scale
from nestmat.training.checkpoints import Trained
from nestmat.training.chunks import train_members
from nestmat.training.members import Members
from nestmat.training.scale_data import ScaleData

log = logging.getLogger(__name__)

SWEEP: tables.Schema = {
    "latents": tables.Column("int32", description="number of latent variables"),
    "target": tables.Column("string", description="target, or block that is decoded"),
    "repeat": tables.Column("int32"),
    "fold": tables.Column("int32"),
    "metric": tables.Column("string"),
    "value": tables.Column("float64"),
    "unit": tables.Column("string"),
}


def sweep_latents(
    features: str | Path,
    folds: str | Path,
    sweep: str | Path,
    *,
    scale: str,
    protocol: str,
    name: str,
    specification: Specification | Mapping[str, Any],
    sizes: Sequence[int],
    epochs: int | None = None,
    parents: Mapping[str, str | Path] | None = None,
    device: str = "auto",
) -> None:
    """Train a model with each latent size on the first repeat of a protocol.

    Args:
        features: Features of the scale.
        folds: Folds of the scale.
        sweep: Output: MAE and RMSE, of a class the accuracy, of the ensemble over seeds on each validation
            fold by latent size, and the loss of every head there (metric ``loss``, scaled, mean over seeds).
        scale: Name of the scale.
        protocol: Protocol of the folds.
        name: Name of the model.
        specification: The model, also as plain dictionaries.
        sizes: Numbers of latents.
        epochs: Epochs, where they differ from the model's.
        parents: Propagated latents of each parent scale for the rows of this one.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        InputError: The protocol has no validation rows.
    """
    if not isinstance(specification, Specification):
        specification = specification_from(specification)
    if epochs is not None:
        specification = replace(specification, training=replace(specification.training, epochs=epochs))
    data = read_scale(features, specification, parents, protocol)
    table = tables.read(folds, protocol=protocol, repeat=0)
    members = Members.build(table, data.row_id, specification.training.seeds)
    members = members[np.flatnonzero(members.fold >= 0)]
    if not len(members):
        raise InputError("has no validation folds to sweep on.", file=folds, value=protocol)
    parts = []
    for latents in sorted(set(sizes)):
        tried = replace(specification, encoder=replace(specification.encoder, latents=latents))
        flat, scalers, curves = train_members(
            tried, data, members, device=device, title=f"{name}, {latents} latents"
        )
        trained = Trained.of(data, members, flat, scalers, tried, scale=scale, name=name, protocol=protocol)
        _, predicted = trained.predict_rows(data, members)
        part = pd.DataFrame([*_errors(data, members, predicted), *_losses(curves, members, specification)])
        parts.append(part.assign(latents=latents))
    frame = pd.concat(parts, ignore_index=True)
    tables.write(sweep, frame, SWEEP, {"scale": scale, "protocol": protocol, "model": name})


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
    seen = curves[(curves["split"] == "validation") & curves["term"].isin([*specification.heads])]
    last = seen[seen["epoch"] == seen.groupby("member")["epoch"].transform("max")]
    last = last.assign(fold=members.fold[last["member"]])
    mean = last.groupby(["fold", "term"], as_index=False)["loss"].mean()
    for fold, term, value in zip(mean["fold"], mean["term"], mean["loss"], strict=True):
        yield {"target": term, "repeat": 0, "fold": fold, "metric": "loss", "value": value, "unit": ""}
