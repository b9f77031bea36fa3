"""Draw materials from a generative model of a finished study."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd

from nestmat import tables
from nestmat.config.study import Study
from nestmat.design.candidates import candidate_table
from nestmat.design.generative import load_generators
from nestmat.design.members import Members
from nestmat.design.problem import build_design
from nestmat.design.search import build_method
from nestmat.errors import InputError
from nestmat.files import write_text
from nestmat.search.candidate_table import candidate_schema

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
    models = load_generators(study, chosen, [weights])
    search, asked = build_method(chosen, models), design.problem
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
        tables.write(output, frame, candidate_schema(frame.columns, design.units), {"problem": problem})
    else:
        write_text(output, frame.to_csv(index=False, lineterminator="\n"))
    return len(frame), drawn
