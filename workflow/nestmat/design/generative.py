"""Generative models of a study: from its configuration to training and back."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from torch import Tensor

from nestmat import tables
from nestmat.config import generative as config_generative
from nestmat.config import problems
from nestmat.config.study import Study
from nestmat.design.members import Members, training_rows
from nestmat.design.problem import surrogate_of
from nestmat.design.search import validate_settings
from nestmat.design.spaces import design_space
from nestmat.errors import InputError
from nestmat.search.generators.base import HISTORY, GenerativeModel, GeneratorOptions
from nestmat.search.generators.files import read_generators, write_generators
from nestmat.search.generators.registry import GENERATORS
from nestmat.search.generators.teacher import Teacher
from nestmat.search.spaces.product import Product
from nestmat.training.trainer import pick_device

_LOG = logging.getLogger(__name__)


def _options(given: config_generative.GeneratorSpec) -> GeneratorOptions:
    return validate_settings(GENERATORS[given.kind], given.options, f"generative model {given.kind!r}")


def build_generator(given: config_generative.GeneratorSpec, seed: int) -> GenerativeModel:
    """A model as it is before training.

    Raises:
        InputError: A setting is unknown, or the space is not one for this kind.
    """
    return _options(given).build(design_space(given.space), seed)


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
    space = design_space(given.space)
    frame = training_rows(given.scale, members, [*space.columns, given.condition], each=True)
    x, y = frame[list(space.columns)].to_numpy(np.float64), frame[given.condition].to_numpy(np.float64)
    outside = ~np.isclose(space.canonical(x), x).all(axis=1)
    if outside.all():
        raise InputError(
            "has no row in the space of the model.",
            file=members.features[given.scale],
            column=f"generative.{name}.space",
        )
    if outside.any():
        _LOG.info("%d of %d rows lie outside of the space and are left out", outside.sum(), len(x))
    x, y = x[~outside], y[~outside]
    taught = _teaching(study, given, members, space) if given.pseudo_labels else None
    models, curves = [], []
    for seed in range(given.seeds):
        rows = x, y
        if taught:
            more = taught(x, y, seed)
            _LOG.info("%d rows from the teacher", len(more[1]))
            rows = np.concatenate([x, more[0]]), np.concatenate([y, more[1]])
        model = build_generator(given, seed)
        start = time.perf_counter()
        curve = model.fit(*rows, pick_device(device))
        _LOG.info("%s, seed %d: %d rows, %.1f s", name, seed, len(rows[0]), time.perf_counter() - start)
        models.append(model)
        curves.append(curve.assign(seed=seed))
    facts = {"generative": name, "kind": given.kind, "protocol": members.protocol, "rows": len(x)}
    write_generators(models, weights, facts)
    tables.write(history, pd.concat(curves, ignore_index=True), HISTORY, facts)


def _teaching(
    study: Study, given: config_generative.GeneratorSpec, members: Members, space: Product
) -> Callable[[np.ndarray, np.ndarray, int], tuple[np.ndarray, np.ndarray]]:
    """What gives further rows, with what the teaching model says of them, for training rows and a seed."""
    assert given.pseudo_labels is not None
    teaching = given.pseudo_labels.model_dump()
    stems = study.chain(given.scale, teaching.pop("model"), members.protocol)
    surrogate, teacher = surrogate_of(study, stems, members, space), Teacher(**teaching)

    def predict(rows: Tensor) -> tuple[Tensor, Tensor]:
        return surrogate(rows)[f"{given.scale}.{given.condition}"]

    return lambda x, y, seed: teacher(space, x, y, predict, seed)


def load_generators(
    study: Study, given: problems.Method, files: Sequence[str | Path]
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
    return read_generators(weights, design_space(model.space), _options(model))
