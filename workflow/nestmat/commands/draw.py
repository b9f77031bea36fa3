"""Draw materials from a generative model of a finished study."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd

from nestmat.config.problems import Method
from nestmat.config.study import Study
from nestmat.design.candidates import candidate_table
from nestmat.design.generative import load_generators
from nestmat.design.members import Members
from nestmat.design.methods import build_method
from nestmat.design.problem import build_design
from nestmat.errors import InputError
from nestmat.exports import write_table
from nestmat.search.candidate_table import candidate_schema

EMPTY_SEARCHES = 20
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
    """Draw materials that should have a value, with members and generators that were trained on every row.

    The model of the problem predicts them alone, also where recommended predictors make the shortlist.

    Args:
        study: The study, which has been run.
        results: Folder of its results.
        problem: Name of a design problem.
        output: File to write, in one of the formats of `nestmat.exports`: numbers and predictions of each
            material.
        value: The value; by default that of the problem.
        count: Materials to draw.
        method_name: Generative method of the problem; by default that of its shortlist.

    Returns:
        Number of materials, less than ``count`` where hardly a sample is kept; and of samples drawn.

    Raises:
        InputError: There is no such problem or method, a result is missing, or no sample is kept.
    """
    method = _generative_method(study, problem, method_name)
    config = study.search[problem]
    model_keys = study.chain(config.scale, config.model, "strict")
    design = build_design(study, problem, Members.in_results(results, model_keys, "strict", -1))
    weights = results / f"generative/strict/{method.model}.safetensors"
    if not weights.is_file():
        raise InputError(
            "The generator is not trained: only that of a shortlist's method is trained on every row.",
            file=weights,
            remedy="name this method as that of a shortlist, or make the file with snakemake.",
        )
    search = build_method(method, load_generators(study, method, [weights]))
    target_problem = design.problem
    if value is not None:
        target = dataclasses.replace(target_problem.targets[0], low=value)
        target_problem = dataclasses.replace(target_problem, targets=[target])
    parts, n_sampled, n_materials, n_empty, seed = [], 0, 0, 0, 0
    while n_materials < count and n_empty < EMPTY_SEARCHES:
        proposed = search.propose(target_problem, method.budget or config.budget, seed)
        parts.append(candidate_table(target_problem, proposed.x, proposed.table))
        n_sampled += int(proposed.details["sampled"])
        n_materials += len(proposed.x)
        n_empty = 0 if len(proposed.x) else n_empty + 1
        seed += 1
    if not n_materials:
        raise InputError(
            f"None of {n_sampled} samples is a material that the method keeps.",
            key=f"search.{problem}",
            value=value,
            remedy="choose a value that the training data has, or widen `accept` and the constraints.",
        )
    frame = pd.concat(parts, ignore_index=True).head(count)
    write_table(output, frame, candidate_schema(frame.columns, design.units), {"problem": problem})
    return len(frame), n_sampled


def _generative_method(study: Study, problem: str, name: str | None) -> Method:
    """Configuration of a generative method of a problem, by default that of its shortlist.

    Raises:
        InputError: There is no such problem or method.
    """
    if problem not in study.search:
        raise InputError(
            f"The study has no design problem {problem!r}.",
            value=problem,
            remedy=f"choose one of {', '.join(study.search)}." if study.search else "add one under `search`.",
        )
    config = study.search[problem]
    name = name or (config.shortlist.method if config.shortlist else "")
    generative = {key: method for key, method in config.methods.items() if method.model}
    if name not in generative:
        raise InputError(
            f"The design problem {problem!r} has no generative method {name!r}.",
            value=name,
            remedy=f"choose one of {', '.join(generative)}." if generative else "add one under `methods`.",
        )
    return generative[name]
