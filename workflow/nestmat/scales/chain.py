"""Apply a trained chain of scales to new rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from nestmat.errors import InputError
from nestmat.scales.train import ensemble
from nestmat.training.checkpoints import Trained


@dataclass(frozen=True)
class ScalePrediction:
    """What the members of one scale say of some rows.

    Attributes:
        latents: (seeds, n, latents).
        targets: Mean and standard deviation of the ensemble over seeds by target, in physical units, (n,)
            each; the standard deviation is NaN where a single member states none.
        units: Unit of each target.
    """

    latents: np.ndarray
    targets: dict[str, tuple[np.ndarray, np.ndarray]]
    units: dict[str, str]


def predict_chain(
    weights: Mapping[str, str | Path],
    features: Mapping[str, pd.DataFrame],
    *,
    repeat: int = 0,
    fold: int = -1,
) -> dict[str, ScalePrediction]:
    """Predict along a chain with the members of one fold, by default those trained on every row.

    Args:
        weights: Weights file of the model of each scale, every parent before its children; the card lies
            beside it. Parents trained jointly with a child are in the child's file.
        features: For each scale the columns of its feature blocks, one row a material, the same rows for all.
        repeat: Repeat of the members.
        fold: Fold of the members.

    Returns:
        Predictions by scale.

    Raises:
        InputError: A parent is missing, a scale has no such member, or a column is missing or not finite.
    """
    found: dict[str, ScalePrediction] = {}
    for scale, path in weights.items():
        trained = Trained.load(path)
        chosen = (trained.members[["repeat", "fold", "inner"]] == [repeat, fold, -1]).all(axis=1)
        members = trained.members[chosen].sort_values("seed")
        if members.empty:
            raise InputError(f"has no members of repeat {repeat}, fold {fold}.", file=path)
        blocks = {name: _block(features[scale], columns, path) for name, columns in trained.inputs.items()}
        index = members.index.to_numpy()
        for parent in set(trained.specification.inputs) & set(trained.parents):
            if parent in trained.joint:
                theirs = trained.joint[parent]
                inputs = {k: _block(features[parent], columns, path) for k, columns in theirs.inputs.items()}
                blocks[parent] = theirs.apply(inputs, index)[0]
                continue
            if parent not in found:
                raise InputError(
                    f"reads the latents of {parent!r}, whose model is not given before it.", file=path
                )
            blocks[parent] = _parent_block(found[parent], trained.columns[parent], members["seed"].to_numpy())
        z, predicted = trained.apply(blocks, index)
        found[scale] = ScalePrediction(
            z,
            {name: ensemble(means, stds) for name, (means, stds) in predicted.items()},
            {name: trained.units.get(name, "") for name in predicted},
        )
    return found


def _block(frame: pd.DataFrame, columns: list[str], path: str | Path) -> np.ndarray:
    if lacking := [name for name in columns if name not in frame]:
        raise InputError(
            f"reads the columns {lacking}, which the new rows lack.",
            file=path,
            remedy="compute the features as for the training rows, with the same levels.",
        )
    values = frame[columns].to_numpy(np.float64)
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise InputError(
            f"row {row} of the new rows is not finite.", column=columns[column], value=values[row, column]
        )
    return values


def _parent_block(parent: ScalePrediction, columns: list[str], seeds: np.ndarray) -> np.ndarray:
    """The parent's latents and predictions as the child was trained on, (members, n, columns)."""
    latents = parent.latents[seeds % len(parent.latents)]
    parts = []
    for column in columns:
        target, _, what = column.rpartition(".")
        if target in parent.targets and what in ("mean", "std"):
            value = parent.targets[target][what == "std"]
            parts.append(np.broadcast_to(value, latents.shape[:2]))
        else:
            parts.append(latents[..., int(column.removeprefix("z"))])
    return np.stack(parts, axis=-1)
