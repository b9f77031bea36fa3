"""Search a design problem with a method, and write the best candidates."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat import tables
from nestmat.design.candidates import RUNS, candidate_table, proposed_rows
from nestmat.design.members import training_formulas
from nestmat.design.methods import build_method
from nestmat.design.model_inputs import check_model_inputs
from nestmat.design.problem import Design
from nestmat.design.spaces import composition_columns, rounded_into
from nestmat.errors import InputError
from nestmat.search.candidate_table import candidate_schema
from nestmat.search.candidates import Candidates
from nestmat.search.generators.base import GenerativeModel
from nestmat.search.problem import Problem

_LOG = logging.getLogger(__name__)
OUTSIDE = 1e-6
"""Largest distance of a candidate from its canonical form, by rounding."""


def training_materials(design: Design) -> NDArray[np.float64]:
    """Materials that the members were trained on at the finest scale that predicts, moved into the space.

    Returns:
        (n, columns), each once: those that `rounded_into` finds in the space.
    """
    space = design.space
    fractions = composition_columns(training_formulas(design.scales[0], design.members), space)
    numbers = space.with_composition(fractions, lambda factor, n: factor.sample(n, np.random.default_rng(0)))
    x, agrees = rounded_into(numbers, space)
    return np.unique(x[agrees], axis=0)


def check_proposal(proposed: Candidates, problem: Problem, budget: int, method_name: str) -> None:
    """Check that a search kept to its budget, and its materials to the space.

    Args:
        proposed: What the search returned.
        problem: The problem that was searched.
        budget: Largest number of materials to predict.
        method_name: Name of the method, for messages.

    Raises:
        InputError: More materials were predicted, or one is not in the space.
    """
    if proposed.evaluations > budget:
        raise InputError(
            f"The method {method_name!r} predicted {proposed.evaluations} materials, its budget is {budget}.",
            key=f"methods.{method_name}",
            remedy="let the method stop in time, so that methods are compared at equal budgets.",
        )
    outside = problem.space.distance(proposed.x, problem.space.canonical(proposed.x)) > OUTSIDE
    if outside.any():
        raise InputError(
            f"The method {method_name!r} proposed {outside.sum()} of {len(outside)} outside the space.",
            key=f"methods.{method_name}",
            remedy="pass the materials through `problem.space.canonical` before they are predicted.",
        )


def search_candidates(
    design: Design,
    method_name: str,
    candidates: str | Path,
    runs: str | Path,
    problem: Problem | None = None,
    models: Sequence[GenerativeModel] | None = None,
) -> None:
    """Search with one method, once a seed, and write the best candidates of each search.

    Args:
        design: The problem with the members that are searched.
        method_name: Name of the method in the problem.
        candidates: Table to write, `candidate_schema`.
        runs: Table to write, `RUNS`.
        problem: The problem with another predictor than the members, which predict the candidates in the
            end; by default that of the design.
        models: Trained models of a generative method.

    Raises:
        InputError: As `build_method`, `check_model_inputs`, `check_proposal` and the method itself.
    """
    config, method = design.config, design.config.methods[method_name]
    problem = problem or design.searched
    if design.searched is design.problem:
        # Where a network is searched, what it stands for was checked when it was made.
        check_model_inputs(design.space, design.surrogate.inputs)
    search = build_method(method, models, lambda: training_materials(design))
    parts, records = [], []
    for seed in range(method.seeds or config.seeds):
        start = time.perf_counter()
        budget = method.budget or config.budget
        proposed = search.propose(problem, budget, seed)
        seconds = time.perf_counter() - start
        check_proposal(proposed, problem, budget, method_name)
        best = proposed.x[proposed_rows(problem, proposed, config.proposals)]
        part = candidate_table(design.problem, best, design.problem.evaluate(best))
        _LOG.info(
            "%s, seed %d: %d materials predicted in %.1f s; %d of the best %d are hits",
            *(method_name, seed, proposed.evaluations, seconds, part["hit"].sum(), len(part)),
        )
        parts.append(part.assign(method=method_name, seed=seed, rank=np.arange(1, len(part) + 1)))
        # Not the seconds, which differ from run to run: the log and the benchmark of the job have them.
        records.append((method_name, seed, proposed.evaluations, json.dumps(proposed.details)))
    frame = pd.concat(parts, ignore_index=True)
    facts = {"problem": design.name}
    tables.write(candidates, frame, candidate_schema(frame.columns, design.units), facts)
    tables.write(runs, pd.DataFrame(records, columns=list(RUNS)), RUNS, facts)
