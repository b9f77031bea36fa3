"""Latents of a finer scale for the rows of a coarser one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.errors import InputError
from nestmat.scales.predictions import mean_column, std_column
from nestmat.scales.train import LATENT_KEYS, ensemble, member_rows
from nestmat.training.checkpoints import Trained
from nestmat.training.members import ENSEMBLE_KEYS, MEMBER_KEYS
from nestmat.training.scale_data import ScaleData


def blocks_for(trained: Trained, data: ScaleData, members: pd.DataFrame) -> dict[str, np.ndarray]:
    """Inputs of some trained members from rows that hold the same blocks.

    Args:
        trained: The members.
        data: Rows, with the latents of the scale's own parents where it has some.
        members: Some rows of ``trained.members``.

    Returns:
        (n, width), or (members, n, width) for latents of a parent, by block.

    Raises:
        InputError: A block or a column that the members read is missing.
    """
    blocks = data.renamed(trained.inputs)
    for name in set(trained.specification.inputs) & set(trained.parents):
        if name not in data.parents or data.columns[name] != trained.columns[name]:
            raise InputError(
                f"The latents of parent {name!r} are missing or of another width.",
                remedy="propagate the parent of the same model first.",
            )
        keys = (members[key].to_numpy(np.int64) for key in MEMBER_KEYS)
        blocks[name] = data.block(name, *keys)
    return blocks


def propagate_latents(
    weights: str | Path,
    features: str | Path,
    latents: str | Path,
    *,
    card: str | Path | None = None,
    parents: Mapping[str, str | Path] | None = None,
    pass_prediction: bool = False,
) -> None:
    """Encode the rows of a child with every member of the parent.

    Args:
        weights: Weights of the parent.
        features: Rows of the child with the features of the parent.
        latents: Output: member, repeat, fold, inner, seed, row_id and latents; where passed also
            ``<target>.mean`` and ``<target>.std`` of the ensemble over seeds, in physical units.
        card: Card of the parent; by default that of the same name as the weights.
        parents: Propagated latents of the parent's own parents for the same rows.
        pass_prediction: Whether to write the parent's predictions.

    Raises:
        InputError: The features are not those that the parent was trained on.
    """
    trained = Trained.load(weights, card)
    data = ScaleData.read(features, targets=False)
    for name, path in (parents or {}).items():
        if name in trained.specification.inputs:
            data = data.with_propagated(name, path, trained.protocol)
    members = trained.members
    z, predicted = trained.apply(blocks_for(trained, data, members), members.index.to_numpy())
    columns = {f"z{i}": z[..., i] for i in range(z.shape[-1])}
    units = dict.fromkeys(columns, "")
    if pass_prediction:
        group = members.groupby([*ENSEMBLE_KEYS]).ngroup().to_numpy()
        for target, (means, stds) in predicted.items():
            mean, std = np.empty_like(means), np.empty_like(stds)
            for k in np.unique(group):
                mean[group == k], std[group == k] = ensemble(means[group == k], stds[group == k])
            if not np.isfinite(std).all():
                raise InputError(
                    f"The model {trained.model!r} states no spread of {target!r} to pass on.",
                    key="pass_prediction",
                    remedy="train two seeds or more, or use a gaussian_nll head.",
                )
            passed = {mean_column(target): mean, std_column(target): std}
            columns |= passed
            units |= dict.fromkeys(passed, trained.units[trained.shapes.target_of[target]])
    frame = member_rows(members, data.row_id)
    for name, values in columns.items():
        frame[name] = values.ravel().astype(np.float32)
    schema = {
        **LATENT_KEYS,
        **{name: tables.Column("float32", unit=units[name], role="latent") for name in columns},
    }
    tables.write(latents, frame, schema, trained.key.provenance)
