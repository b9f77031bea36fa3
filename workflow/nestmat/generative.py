"""Generative models of a study: from its configuration to training and back."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from torch import Tensor

from nestmat import config_generative, config_search, tables
from nestmat.config import Study
from nestmat.errors import InputError
from nestmat.inverse_design import Members, design_space, settings_of, surrogate_of
from nestmat.search.generative_models import HISTORY, KINDS, GenerativeModel, Teacher, load, save
from nestmat.training.trainer import pick_device

_LOG = logging.getLogger(__name__)


def _options(given: config_generative.GenerativeModel) -> object:
    return settings_of(KINDS[given.kind][0], given.options, f"generative model {given.kind!r}")


def train_generative(
    study: Study,
    name: str,
    members: Members,
    weights: str | Path,
    history: str | Path,
    device: str = "auto",
) -> None:
    """Train a generative model on the rows that the members of a fold train on.

    Args:
        study: The study.
        name: Name of the model.
        members: Features and folds of its scale; of a model that is taught also the weights of the chain
            that teaches.
        weights: File to write, safetensors.
        history: Table to write: learning curves, `HISTORY`.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        InputError: A setting is unknown, or the training diverged.
    """
    given = study.generative[name]
    space, options = design_space(given.space), _options(given)
    path = members.features[given.scale]
    frame = tables.read(path, columns=["row_id", *space.columns, given.condition])
    if members.fold >= 0:
        folds = tables.read(members.folds[given.scale], protocol=members.protocol, repeat=0)
        frame = frame[frame["row_id"].isin(folds.loc[folds["fold"] != members.fold, "row_id"])]
    x, y = frame[list(space.columns)].to_numpy(np.float64), frame[given.condition].to_numpy(np.float64)
    outside = ~np.isclose(space.canonical(x), x).all(axis=1)
    if outside.all():
        raise InputError(
            "has no row in the space of the model.", file=path, column=f"generative.{name}.space"
        )
    if outside.any():
        _LOG.info("%d of %d rows lie outside of the space and are left out", outside.sum(), len(x))
    x, y = x[~outside], y[~outside]
    models, curves = [], []
    for seed in range(given.seeds):
        rows = x, y
        if given.teaching:
            taught = _taught(study, given, members, x, y, seed)
            _LOG.info("%d rows from %s", len(taught[1]), given.teaching.model)
            rows = np.concatenate([x, taught[0]]), np.concatenate([y, taught[1]])
        model: GenerativeModel = KINDS[given.kind][1](space, options, seed)
        start = time.perf_counter()
        curve = model.fit(*rows, pick_device(device))
        _LOG.info("%s, seed %d: %d rows, %.1f s", name, seed, len(rows[0]), time.perf_counter() - start)
        models.append(model)
        curves.append(curve.assign(seed=seed))
    facts = {"generative": name, "kind": given.kind, "protocol": members.protocol, "rows": len(x)}
    save(models, weights, facts)
    tables.write(history, pd.concat(curves, ignore_index=True), HISTORY, facts)


def _taught(
    study: Study,
    given: config_generative.GenerativeModel,
    members: Members,
    x: np.ndarray,
    y: np.ndarray,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Further rows, (n, columns), with what the teaching model says of them, (n,)."""
    assert given.teaching is not None
    teaching = given.teaching.model_dump()
    stems = study.chain(given.scale, teaching.pop("model"), members.protocol)
    space = design_space(given.space)
    surrogate = surrogate_of(study, stems, members, space)

    def predict(rows: Tensor) -> tuple[Tensor, Tensor]:
        return surrogate(rows)[f"{given.scale}.{given.condition}"]

    return Teacher(**teaching)(space, x, y, predict, seed)


def trained_for(
    study: Study, given: config_search.Method, files: Sequence[str | Path]
) -> list[GenerativeModel] | None:
    """The models, one a seed, that a method samples from; None where it does not.

    Args:
        study: The study.
        given: Configuration of the method.
        files: What `train_generative` wrote for its model, or nothing.

    Raises:
        InputError: The file is not of this model.
    """
    if given.model is None:
        return None
    model = study.generative[given.model]
    [weights] = files
    return load(weights, design_space(model.space), model.kind, _options(model))
