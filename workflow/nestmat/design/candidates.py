"""Tables of candidates: their schema, and which of a search are proposed."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat import tables
from nestmat.search.candidates import Candidates
from nestmat.search.problem import Problem


def candidate_table(problem: Problem, x: NDArray[np.float64], table: pd.DataFrame) -> pd.DataFrame:
    """Table of materials: formula, numbers of the space and predictions, a row each.

    Whether they are outside the domain is left out: tables of candidates state the verdict with its reason.

    Args:
        problem: The problem.
        x: Materials (n, columns).
        table: What `Problem.evaluate` returns for them.
    """
    numbers = pd.DataFrame(x, columns=list(problem.space.columns))
    table = table.drop(columns="outside", errors="ignore")
    return pd.concat([pd.Series(problem.space.formulas(x), name="formula"), numbers, table], axis=1)


RUNS: tables.Schema = {
    "method": tables.Column("string"),
    "seed": tables.Column("int32"),
    "evaluations": tables.Column(
        "int64", description="materials that were predicted; a gradient counts twice"
    ),
    "details": tables.Column("string", description="what the method says of its work, as JSON"),
}


def proposed_rows(problem: Problem, candidates: Candidates, count: int) -> NDArray[np.int64]:
    """Rows of candidates to propose: with one target the best; with several the front first.

    Where the front has more than ``count``, it is thinned evenly along the first target.

    Args:
        problem: Targets and constraints, with the predictor that was searched.
        candidates: What a search has found, best first.
        count: How many to propose.

    Returns:
        At most ``count``, best first.
    """
    rows = np.arange(len(candidates.x))
    if len(problem.targets) > 1:
        front = problem.front(candidates.table)
        ranked = rows[front][np.argsort(problem.distances(candidates.table)[front, 0], kind="stable")]
        if len(ranked) > count:
            ranked = ranked[np.linspace(0, len(ranked) - 1, count).round().astype(int)]
        rows = np.concatenate([ranked, rows[~front]])
    return np.sort(rows[:count])
