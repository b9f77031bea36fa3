"""The shortlist of a design problem: the best candidates with every prediction and flags in words."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat import tables
from nestmat.design.candidates import candidate_table
from nestmat.design.domain import WINDOWS, with_novelty_and_domain
from nestmat.design.members import training_keys
from nestmat.design.methods import build_method
from nestmat.design.problem import Design
from nestmat.design.search import training_materials
from nestmat.domains.verdicts import INSIDE, VERDICTS
from nestmat.materials.formulas import parse_many
from nestmat.search.candidate_table import candidate_schema, mean_column
from nestmat.search.generators.base import GenerativeModel
from nestmat.search.problem import order
from nestmat.search.spaces.base import DesignSpace

_LOG = logging.getLogger(__name__)
PLACES = {"edge": "at the edge of", "outside": "outside"}
"""Where a material that is not inside stands to the domain, in words."""


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
    config, shortlist = design.config, design.config.shortlist
    assert shortlist is not None
    method = config.methods[shortlist.method]
    search = build_method(method, models, lambda: training_materials(design))
    proposed = search.propose(design.searched, method.budget or config.budget, seed)
    x, table = proposed.x, proposed.table
    if design.searched is not design.problem:
        # What the network proposes is predicted by the recommended predictors themselves, and ranked anew.
        table = design.problem.evaluate(x)
        ranked = order(table)
        x, table = x[ranked], table.iloc[ranked].reset_index(drop=True)
    best = candidate_table(design.problem, x, table).drop_duplicates("formula")
    numbers = best[list(design.space.columns)].to_numpy(np.float64)
    rows = rows_apart(numbers, design.space, shortlist.apart, shortlist.top)
    if len(rows) < min(shortlist.top, len(best)):
        _LOG.warning(
            "%s: The shortlist has %d candidates, not %d: all others of the %d that the method keeps are "
            "within %g of them.",
            *(design.name, len(rows), shortlist.top, len(best), shortlist.apart),
        )
    best = best.iloc[rows].reset_index(drop=True)
    best = best.assign(method=shortlist.method, seed=seed, rank=np.arange(1, len(best) + 1))
    write_shortlist(design, best, path, {"method": shortlist.method, "evaluations": proposed.evaluations})


def rows_apart(x: NDArray[np.float64], space: DesignSpace, apart: float, count: int) -> NDArray[np.int64]:
    """Rows of materials, each at some distance from those before it.

    Args:
        x: Materials (n, columns), best first.
        space: Their space.
        apart: Least distance, from 0 to 1.
        count: Most rows.

    Example:
        >>> from nestmat.search.spaces.box import Box
        >>> from nestmat.search.spaces.factors import Interval
        >>> box = Box([Interval("strain", 0.0, 1.0, 11)])
        >>> rows_apart(np.array([[0.5], [0.6], [0.7], [0.1]]), box, 0.15, 3).tolist()
        [0, 2, 3]
    """
    rows: list[int] = []
    for row in range(len(x)):
        if len(rows) == count:
            break
        near = space.distance(x[rows], np.broadcast_to(x[row], (len(rows), x.shape[1]))) < apart
        if not near.any():
            rows.append(row)
    return np.array(rows, dtype=np.int64)


def write_shortlist(design: Design, frame: pd.DataFrame, path: str | Path, facts: dict[str, Any]) -> None:
    """Write candidates with their novelty, their domain, whether they are known, and flags in words.

    Args:
        design: The problem with members that were trained on every row.
        frame: The candidates.
        path: Table to write.
        facts: Further provenance of the table, next to the name of the problem.
    """
    frame = with_novelty_and_domain(design, frame)
    if design.space.composition_factors:
        keys = training_keys(design.scales[0], design.members)
        formulas = parse_many(frame["formula"].tolist()).formulas
        frame["known"] = [formula is not None and formula.key in keys for formula in formulas]
    else:
        frame["known"] = frame["novelty"] == 0
    frame["flags"] = [_flags(design, row) for row in frame.to_dict("records")]
    schema = {**candidate_schema(frame.columns, design.units), "flags": tables.Column("string")}
    tables.write(path, frame, schema, {"problem": design.name, **facts})


def _flags(design: Design, row: dict[Any, Any]) -> str:
    """Remarks on a candidate for a reader, in words."""
    remarks = []
    if row["violation"] > 0:
        remarks.append("breaks a constraint")
    if row["known"]:
        remarks.append("in the training data")
    if row["domain"] != VERDICTS[INSIDE]:
        remarks.append(f"{PLACES[row['domain']]} the domain: {row['reason']}")
    for name, (low, high) in WINDOWS.items():
        if not low <= row.get(mean_column(name), low if np.isfinite(low) else high) <= high:
            remarks.append(f"{name.replace('_', ' ')} not that of a perovskite")
    for name, quantity in design.config.quantities.items():
        if quantity.detailed_balance:
            for target in design.problem.targets:
                if (
                    design.units[target.quantity] == "%"
                    and row[mean_column(target.quantity)] > row[mean_column(name)]
                ):
                    remarks.append("above the detailed-balance limit")
    return "; ".join(remarks)
