"""The shortlist of a design problem: the best candidates with every prediction and flags in words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.design.candidates import candidate_table
from nestmat.design.domain import WINDOWS, with_novelty_and_domain
from nestmat.design.members import training_formulas
from nestmat.design.problem import Design
from nestmat.design.search import build_method, known_materials
from nestmat.materials.formulas import parse_many
from nestmat.search.candidate_table import candidate_schema, mean_column
from nestmat.search.generators.base import GenerativeModel


def make_shortlist(
    design: Design, path: str | Path, models: Sequence[GenerativeModel] | None = None, seed: int = 0
) -> None:
    """Search with the method of the shortlist, and write the best material of each composition.

    Args:
        design: The problem with members that were trained on every row.
        path: Table to write: `nestmat.search.candidate_table.candidate_schema`, with flags in words.
        models: Trained models of a generative method.
        seed: Seed of the search.

    Raises:
        InputError: As the method.
    """
    given = design.config
    assert given.shortlist is not None
    chosen = given.methods[given.shortlist.method]
    search = build_method(chosen, models, lambda: known_materials(design))
    found = search.propose(design.problem, chosen.budget or given.budget, seed)
    best = candidate_table(design.problem, found.x, found.table)
    best = best.drop_duplicates("formula").head(given.shortlist.top).reset_index(drop=True)
    best = best.assign(method=given.shortlist.method, seed=seed, rank=np.arange(1, len(best) + 1))
    write_shortlist(design, best, path, {"method": given.shortlist.method, "evaluations": found.evaluations})


def write_shortlist(design: Design, frame: pd.DataFrame, path: str | Path, facts: dict[str, Any]) -> None:
    """Write candidates with their novelty, whether they are known materials, and flags in words.

    Args:
        design: The problem with members that were trained on every row.
        frame: The candidates.
        path: Table to write.
        facts: Provenance of the table beside the name of the problem.
    """
    frame = with_novelty_and_domain(design, frame)
    if design.space.composition_factors:
        known = {f.key for f in parse_many(training_formulas(design.scales[0], design.members)).formulas if f}
        candidates = parse_many(frame["formula"].tolist()).formulas
        frame["known"] = [f is not None and f.key in known for f in candidates]
    else:
        frame["known"] = frame["novelty"] == 0
    frame["flags"] = [_flags(design, row) for row in frame.to_dict("records")]
    schema = {**candidate_schema(frame.columns, design.units), "flags": tables.Column("string")}
    tables.write(path, frame, schema, {"problem": design.name, **facts})


def _flags(design: Design, row: dict[Any, Any]) -> str:
    """What a reader should know of a candidate, in words."""
    found = []
    if row["violation"] > 0:
        found.append("breaks a constraint")
    if row["known"]:
        found.append("in the training data")
    elif not row["in_domain"]:
        found.append("unlike the training data")
    for name, (low, high) in WINDOWS.items():
        if not low <= row.get(mean_column(name), low if np.isfinite(low) else high) <= high:
            found.append(f"{name.replace('_', ' ')} not that of a perovskite")
    for name, quantity in design.config.quantities.items():
        if quantity.detailed_balance:
            for target in design.problem.targets:
                if (
                    design.units[target.quantity] == "%"
                    and row[mean_column(target.quantity)] > row[mean_column(name)]
                ):
                    found.append("above the detailed-balance limit")
    return "; ".join(found)
