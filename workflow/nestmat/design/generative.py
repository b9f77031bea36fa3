"""Generative models of a study: from its configuration to training and back."""

from __future__ import annotations

import dataclasses
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
from nestmat.design.problem import (
    Members,
    build_design,
    candidate_schema,
    candidate_table,
    design_space,
    method,
    settings_of,
    surrogate_of,
    training_rows,
)
from nestmat.errors import InputError
from nestmat.files import write_text
from nestmat.search.generators.network import HISTORY, KINDS, GenerativeModel, Teacher, load, save
from nestmat.search.spaces.product import Product
from nestmat.training.trainer import pick_device

_LOG = logging.getLogger(__name__)


def _options(given: config_generative.GenerativeModel) -> object:
    return settings_of(KINDS[given.kind][0], given.options, f"generative model {given.kind!r}")


def untrained(given: config_generative.GenerativeModel, seed: int) -> GenerativeModel:
    """A model as it is before training.

    Raises:
        InputError: A setting is unknown, or the space is not one for this kind.
    """
    return KINDS[given.kind][1](design_space(given.space), _options(given), seed)


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
    taught = _teaching(study, given, members, space) if given.teaching else None
    models, curves = [], []
    for seed in range(given.seeds):
        rows = x, y
        if taught:
            more = taught(x, y, seed)
            _LOG.info("%d rows from the teacher", len(more[1]))
            rows = np.concatenate([x, more[0]]), np.concatenate([y, more[1]])
        model = untrained(given, seed)
        start = time.perf_counter()
        curve = model.fit(*rows, pick_device(device))
        _LOG.info("%s, seed %d: %d rows, %.1f s", name, seed, len(rows[0]), time.perf_counter() - start)
        models.append(model)
        curves.append(curve.assign(seed=seed))
    facts = {"generative": name, "kind": given.kind, "protocol": members.protocol, "rows": len(x)}
    save(models, weights, facts)
    tables.write(history, pd.concat(curves, ignore_index=True), HISTORY, facts)


def _teaching(
    study: Study, given: config_generative.GenerativeModel, members: Members, space: Product
) -> Callable[[np.ndarray, np.ndarray, int], tuple[np.ndarray, np.ndarray]]:
    """What gives further rows, with what the teaching model says of them, for training rows and a seed."""
    assert given.teaching is not None
    teaching = given.teaching.model_dump()
    stems = study.chain(given.scale, teaching.pop("model"), members.protocol)
    surrogate, teacher = surrogate_of(study, stems, members, space), Teacher(**teaching)

    def predict(rows: Tensor) -> tuple[Tensor, Tensor]:
        return surrogate(rows)[f"{given.scale}.{given.condition}"]

    return lambda x, y, seed: teacher(space, x, y, predict, seed)


def trained_for(
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
    return load(weights, design_space(model.space), model.kind, _options(model))


BARREN = 20
"""Searches in a row without a material after which no more are made."""


def draw_materials(
    study: Study,
    results: Path,
    problem: str,
    output: Path,
    *,
    value: float | None = None,
    count: int = 1000,
    method_name: str | None = None,
) -> tuple[int, int]:
    """Draw materials that should have a value, with members and networks that were trained on every row.

    Args:
        study: The study, which has been run.
        results: Folder of its results.
        problem: Name of a design problem.
        output: File to write, CSV or by its suffix ``.parquet`` Parquet: the numbers of each material and
            what is predicted of it.
        value: The value; by default that of the problem.
        count: Materials to draw.
        method_name: Generative method of the problem; by default that of its shortlist.

    Returns:
        Number of materials, less than ``count`` where hardly a sample is kept; and of samples drawn.

    Raises:
        InputError: There is no such problem or method, a result is missing, or no sample is kept.
    """
    if problem not in study.search:
        raise InputError(
            "is not a problem of the study.",
            value=problem,
            remedy=f"choose one of {', '.join(study.search) or 'none: it has no search'}.",
        )
    given = study.search[problem]
    name = method_name or (given.shortlist.method if given.shortlist else "")
    known = [key for key, entry in given.methods.items() if entry.model]
    if name not in known:
        raise InputError(
            f"is not a generative method of {problem}.",
            value=name,
            remedy=f"choose one of {', '.join(known) or 'none: it has no such method'}.",
        )
    stems = study.chain(given.scale, given.model, "strict")
    members = Members(
        "strict",
        -1,
        {scale: results / f"models/{stem}.safetensors" for scale, stem in stems.items()},
        {scale: results / f"features/{scale}.parquet" for scale in stems},
        {scale: results / f"folds/{scale}.parquet" for scale in stems},
    )
    design, chosen = build_design(study, problem, members), given.methods[name]
    weights = results / f"generative/strict/{chosen.model}.safetensors"
    if not weights.is_file():
        raise InputError(
            "does not exist: only the method of a shortlist is trained on every row.",
            file=weights,
            remedy=f"name {name} as the method of a shortlist, or make the file with snakemake.",
        )
    models = trained_for(study, chosen, [weights])
    search, asked = method(chosen, models), design.problem
    if value is not None:
        asked = dataclasses.replace(asked, targets=[dataclasses.replace(asked.targets[0], low=value)])
    parts, drawn, found, barren, seed = [], 0, 0, 0, 0
    while found < count and barren < BARREN:
        made = search.propose(asked, chosen.budget or given.budget, seed)
        parts.append(candidate_table(asked, made.x, made.table))
        drawn, found, seed = drawn + int(made.details["sampled"]), found + len(made.x), seed + 1
        barren = 0 if len(made.x) else barren + 1
    if not found:
        raise InputError(
            f"has no material among {drawn} samples.",
            column=f"search.{problem}",
            value=value,
            remedy="ask for a value that the training data has, or widen `accept` and the constraints.",
        )
    frame = pd.concat(parts, ignore_index=True).head(count)
    if output.suffix == ".parquet":
        tables.write(output, frame, candidate_schema(design, frame.columns), {"problem": problem})
    else:
        write_text(output, frame.to_csv(index=False, lineterminator="\n"))
    return len(frame), drawn
