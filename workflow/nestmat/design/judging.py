"""Judge the candidates of a design problem: all methods and two plain baselines by the same judges."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from nestmat import tables
from nestmat.design.candidates import candidate_table
from nestmat.design.domain import WINDOWS, training_designs, with_novelty_and_domain
from nestmat.design.judges.base import FittedJudge, Judge, JudgedQuantities
from nestmat.design.judges.registry import JUDGES
from nestmat.design.metrics import DESIGN_METRICS, TRAINING, UNIFORM, assess
from nestmat.design.problem import Design
from nestmat.design.reach import UNMET, describe_unmet, find_unmet
from nestmat.design.spaces import material_rows
from nestmat.errors import InputError
from nestmat.search.candidate_table import (
    MODEL,
    PROMISED,
    VERDICTS,
    CandidateTable,
    candidate_schema,
    prediction_columns,
    verdict_column,
)
from nestmat.search.problem import Problem, Quantities, order

_LOG = logging.getLogger(__name__)


def judge_candidates(
    design: Design,
    candidates: Sequence[str | Path],
    runs: Sequence[str | Path],
    judged: str | Path,
    metrics: str | Path,
) -> None:
    """Judge the candidates that all methods propose for a problem.

    Args:
        design: The problem with the searched members; judges are trained on what their fold held out.
        candidates: Candidates of each method.
        runs: Records of their searches, in the same order.
        judged: Table to write: the candidates with predictions and verdicts of the judges.
        metrics: Table to write, `DESIGN_METRICS`. Both state in their provenance what is `UNMET`.

    Raises:
        InputError: A table is missing, or a judge cannot be trained.
    """
    config, space, problem = design.config, design.space, design.problem
    baselines = {
        UNIFORM: space.canonical(space.sample(config.proposals * config.seeds, seed=0)),
        TRAINING: _best_of_training(design),
    }
    parts = [tables.read(path) for path in candidates]
    for baseline, x in baselines.items():
        if not len(x):
            continue
        part = candidate_table(problem, x, problem.evaluate(x))
        parts.append(part.assign(method=baseline, seed=0, rank=np.arange(1, len(part) + 1)))
    frame = with_novelty_and_domain(design, pd.concat(parts, ignore_index=True))
    frame[PROMISED] = problem.hit_probability(frame)
    materials = torch.from_numpy(frame[list(space.columns)].to_numpy(np.float64))
    with torch.no_grad():
        predicted = design.surrogate(materials)
    for judge, quantities in judge_materials(design, frame).items():
        columns = _judge_columns(design, judge, quantities, materials, predicted)
        frame = pd.concat([frame, columns], axis=1)
    unmet = find_unmet(problem, frame)
    names = {name: (name, unit) for name, unit in design.units.items()}
    if sentences := describe_unmet(unmet, names):
        _LOG.warning("%s: %s", design.name, " ".join(sentences))
    facts = {"problem": design.name, UNMET: [part.facts() for part in unmet]}
    tables.write(judged, frame, candidate_schema(frame.columns, design.units), facts)
    assessed = assess(
        frame,
        pd.concat([tables.read(path) for path in runs], ignore_index=True),
        space,
        judges=[judge for judge in JUDGES if judge in CandidateTable(frame).judges],
        targets={target: design.units[target.quantity] for target in problem.targets},
        windows={key: window for key, window in WINDOWS.items() if CandidateTable(frame).predicts(key)},
    )
    tables.write(metrics, assessed, DESIGN_METRICS, facts)


def _best_of_training(design: Design) -> NDArray[np.float64]:
    """The best materials (n, columns) of the training data that the space has; none where it has none."""
    training = training_designs(design)
    if not len(training):
        _LOG.warning("%s: The design space has no material of the training data.", design.name)
        return training
    return training[order(design.searched.evaluate(training))[: design.config.proposals]]


def build_judges(design: Design) -> dict[str, Judge]:
    """The judges of a problem with their options, by kind, in the order of the registry."""
    config = design.config.judges
    return config.build_all() if config else {}


def fit_judges(design: Design) -> dict[str, FittedJudge]:
    """The judges of a problem by kind, trained on what the searched members have not seen.

    Args:
        design: The problem with the searched members.
    """
    return {kind: judge.fit(design) for kind, judge in build_judges(design).items()}


def searched_problem(design: Design, method: str) -> Problem:
    """The problem that a method searches: with the chain as predictor, or a judge, which has no gradients.

    Args:
        design: The problem with the searched members.
        method: Name of the method.
    """
    kind = design.config.methods[method].predictor
    if kind == MODEL:
        return design.searched
    judge = build_judges(design)[kind].fit(design)

    def predict(x: torch.Tensor) -> Quantities:
        if x.requires_grad:
            raise InputError(
                f"The judge {kind!r} has no gradient, which the method {method!r} needs.",
                key="predictor",
                remedy="search it with ranking, genetic, random or vae, or with nsga and seeded: 0.",
            )
        numbers = pd.DataFrame(x.numpy(), columns=list(design.space.columns))
        rows = material_rows(numbers.assign(formula=design.space.formulas(x.numpy())), design.space)
        judged = {
            quantity: (torch.from_numpy(mean), torch.from_numpy(std))
            for quantity, (mean, std) in judge.predict(rows, {}).items()
        }
        return design.surrogate.derive(x, {**design.searched.predict(x), **judged})

    return dataclasses.replace(design.problem, predict=predict)


def judge_materials(design: Design, frame: pd.DataFrame) -> dict[str, JudgedQuantities]:
    """Predictions of each judge for materials, by kind of the judge.

    Args:
        design: The problem with the searched members.
        frame: Formula and numbers of the materials.
    """
    rows = material_rows(frame, design.space)
    judged: dict[str, JudgedQuantities] = {}
    for kind, judge in fit_judges(design).items():
        judged[kind] = judge.predict(rows, judged)
    return judged


def _judge_columns(
    design: Design, judge: str, judged: JudgedQuantities, x: torch.Tensor, predicted: Quantities
) -> pd.DataFrame:
    """Predictions and verdicts of a judge by column, of its quantities; its means count as exact.

    Args:
        design: The problem with the searched members.
        judge: Name of the judge.
        judged: What it predicts of the materials.
        x: The materials, (n, columns).
        predicted: What the searched predictor says of them, for what the judge does not predict.
    """
    exact = torch.full((len(x),), torch.nan)
    with torch.no_grad():
        means = {quantity: (torch.from_numpy(mean), exact) for quantity, (mean, _) in judged.items()}
        quantities = design.surrogate.derive(x, {**predicted, **means})
    bounded = [constraint for constraint in design.problem.constraints if constraint.of == "mean"]
    table = dataclasses.replace(design.searched, constraints=bounded).tabulate(quantities)
    verdicts = {verdict_column(name, judge): table[name].to_numpy() for name in VERDICTS}
    return pd.DataFrame({**prediction_columns(judged, judge), **verdicts})
