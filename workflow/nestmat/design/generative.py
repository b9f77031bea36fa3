"""Generators of a study: built from their configuration, trained, and loaded for a search."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from torch import Tensor

from nestmat import tables
from nestmat.config.generative import GeneratorSpec
from nestmat.config.problems import Method
from nestmat.config.study import Study
from nestmat.design.members import Members, training_rows
from nestmat.design.problem import surrogate_of
from nestmat.design.spaces import design_space
from nestmat.errors import InputError
from nestmat.search.generators.base import HISTORY, GenerativeModel
from nestmat.search.generators.files import read_generators, write_generators
from nestmat.search.generators.pseudo_labels import PseudoLabelling
from nestmat.search.spaces.product import Product
from nestmat.training.trainer import pick_device

_LOG = logging.getLogger(__name__)


def build_generator(config: GeneratorSpec, seed: int) -> GenerativeModel:
    """A generator before training.

    Raises:
        InputError: An option is unknown, or the kind does not take the space.
    """
    return config.build().build(design_space(config.space), seed)


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
        members: Features and folds of its scale; with pseudo labels also the weights of the chain that
            predicts them.
        weights: File to write, safetensors.
        history: Table to write: learning curves, `HISTORY`.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        InputError: An option is unknown, no row lies in the space, or the training diverged.
    """
    config = study.generative[name]
    space = design_space(config.space)
    frame = training_rows(config.scale, members, [*space.columns, config.condition], repeats=True)
    x, y = frame[list(space.columns)].to_numpy(np.float64), frame[config.condition].to_numpy(np.float64)
    outside = ~np.isclose(space.canonical(x), x).all(axis=1)
    if outside.all():
        raise InputError(
            f"No row of scale {config.scale!r} lies in the space of the generator {name!r}.",
            file=members.features[config.scale],
            key=f"generative.{name}.space",
        )
    if outside.any():
        _LOG.info("%d of %d rows lie outside of the space and are left out", outside.sum(), len(x))
    x, y = x[~outside], y[~outside]
    label = _pseudo_labels(study, config, members, space) if config.pseudo_labels else None
    models, curves = [], []
    for seed in range(config.seeds):
        rows = x, y
        if label:
            labelled = label(x, y, seed)
            _LOG.info("%d rows from the teacher", len(labelled[1]))
            rows = np.concatenate([x, labelled[0]]), np.concatenate([y, labelled[1]])
        model = build_generator(config, seed)
        start = time.perf_counter()
        curve = model.fit(*rows, pick_device(device))
        _LOG.info("%s, seed %d: %d rows, %.1f s", name, seed, len(rows[0]), time.perf_counter() - start)
        models.append(model)
        curves.append(curve.assign(seed=seed))
    facts = {"generative": name, "kind": config.kind, "protocol": members.protocol, "rows": len(x)}
    write_generators(models, weights, facts)
    tables.write(history, pd.concat(curves, ignore_index=True), HISTORY, facts)


def _pseudo_labels(
    study: Study, config: GeneratorSpec, members: Members, space: Product
) -> Callable[[np.ndarray, np.ndarray, int], tuple[np.ndarray, np.ndarray]]:
    """Function of training rows and a seed that returns further rows, labelled by a trained model."""
    assert config.pseudo_labels is not None
    options = config.pseudo_labels.model_dump()
    model_keys = study.chain(config.scale, options.pop("model"), members.protocol)
    surrogate, labelling = surrogate_of(study, model_keys, members, space), PseudoLabelling(**options)

    def predict(rows: Tensor) -> tuple[Tensor, Tensor]:
        return surrogate(rows)[f"{config.scale}.{config.condition}"]

    return lambda x, y, seed: labelling(space, x, y, predict, seed)


def load_generators(
    study: Study, config: Method, files: Sequence[str | Path]
) -> list[GenerativeModel] | None:
    """The generators, one for each seed, that a method samples from; None where it samples from none.

    Args:
        study: The study.
        config: Configuration of the method.
        files: File that `train_generative` wrote for its generator, or none.

    Raises:
        InputError: The file is not of this generator.
    """
    if config.model is None:
        return None
    model = study.generative[config.model]
    [weights] = files
    return read_generators(weights, design_space(model.space), model.build())
