"""Inputs that a model should not learn from: those that tell a target, and those that number the rows.

A table of measurements often holds its target twice, as a number and as its logarithm or class, and columns
that only say where a row comes from. Errors of models that read them say nothing about new materials.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

FEWEST_ROWS = 20
"""Rows that a relation is seen on; with fewer, inputs tell a target by chance."""
RANK_CORRELATION = 0.999
"""Spearman's correlation above which an input is a monotonous function of a number."""
_EXACT = 1 - 1e-5
"""Pearson's correlation above which an input is a number in another unit, or its logarithm, or the like."""
LARGEST_CHANCE = 1e-6
"""Largest probability by which an input of another meaning would tell classes, or levels a number."""
MOST_LEVELS = 30
"""With more values a number is no category."""
SAMPLED_ROWS = 2000
"""Rows that are looked at before a relation is checked on all of a large table."""
DISTINCT = 0.95
"""Share of distinct values from which whole numbers are different in nearly every row."""

_NAMES = {
    "id",
    "ids",
    "uid",
    "uuid",
    "guid",
    "index",
    "idx",
    "unnamed",
    "ref",
    "refs",
    "reference",
    "references",
}
_NAMES |= {"year", "doi", "pmid", "bibcode"}
_COUNTERS = {
    "no",
    "nr",
    "num",
    "number",
    "row",
    "rows",
    "entry",
    "sample",
    "record",
    "line",
    "serial",
    "s",
    "sl",
    "",
}
_FURTHER = {
    "data",
    "paper",
    "publication",
    "published",
    "article",
    "material",
    "compound",
    "of",
    "the",
    "original",
}
_LAST = {"id", "ids", "uid", "uuid", "doi", "pmid"}

_MONOTONOUS = "is a monotonous function of"


class Suspicion(NamedTuple):
    """An input that should not be learned from.

    Attributes:
        column: Its name.
        reason: Why, as the end of a sentence that begins with the column.
        is_certain: Whether the target is in its name or it is computed from the target: what merely orders
            the rows as the target does may also be its cause, as a temperature.
    """

    column: str
    reason: str
    is_certain: bool = True


def suspicious_inputs(
    frame: pd.DataFrame,
    inputs: Sequence[str],
    targets: Sequence[str],
    classes: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
) -> list[Suspicion]:
    """Inputs that tell a target exactly, or that identify the rows.

    Args:
        frame: Rows of the table: numbers as float64, NaN where there is none, anything else as text; with the
            column ``material`` rows of one material that agree count once.
        inputs: Columns that are learned from.
        targets: Columns that are predicted.
        classes: Those of the targets that are classes.
        headers: Names of the columns in the file, where they differ.

    Example:
        >>> y = np.linspace(1.0, 2.0, 30)
        >>> frame = pd.DataFrame({"y": y, "log_y": np.log(y), "x": np.sin(9.0 * y)})
        >>> suspicious_inputs(frame, ["log_y", "x"], ["y"])
        [Suspicion(column='log_y', reason="is computed from the target 'y' and tells it", is_certain=True)]
    """
    names, suspicions = headers or {}, []
    # Of a large table some rows show that an input does not tell a target.
    is_large = len(frame) > SAMPLED_ROWS
    sample = frame.sample(SAMPLED_ROWS, random_state=0) if is_large else frame
    for column in inputs:
        reason = identifier_reason(
            names.get(column, column), frame[column], [(frame[t], t in classes) for t in targets]
        )
        for target in targets if not reason else ():
            rows = _distinct_rows(sample, column, target)
            if is_large and len(rows) >= FEWEST_ROWS and not _relation(rows, column, target, classes):
                continue
            rows = _distinct_rows(frame, column, target) if is_large else rows
            if relation := _relation(rows, column, target, classes):
                reason = f"{relation} the target {target!r} and tells it"
                break
        if reason:
            is_named = any(target.casefold() in names.get(column, column).casefold() for target in targets)
            suspicions.append(Suspicion(column, reason, is_named or not reason.startswith(_MONOTONOUS)))
    return suspicions


def _distinct_rows(frame: pd.DataFrame, column: str, target: str) -> pd.DataFrame:
    """Rows with an input and a target; those of one material that agree in both count once."""
    kept = [name for name in ("material", column, target) if name in frame]
    rows = frame[kept].dropna()
    return rows.drop_duplicates() if "material" in kept else rows


def _relation(rows: pd.DataFrame, column: str, target: str, classes: Sequence[str]) -> str:
    """What an input is of a target that it tells; empty where it does not."""
    if len(rows) < FEWEST_ROWS:
        return ""
    values, is_class = rows[column], target in classes
    checks: list[tuple[Callable[[pd.Series, pd.Series], bool], str]] = []
    is_number = pd.api.types.is_numeric_dtype(values)
    if is_number and not is_class:
        checks.append((_is_computed, "is computed from"))
        checks.append((_is_monotonous, _MONOTONOUS))
    if is_number and is_class:
        checks.append((_separates, "separates all classes of"))
    checks.append((_determines, "has levels that each have one value of"))
    return next((relation for check, relation in checks if check(values, rows[target])), "")


def _is_computed(values: pd.Series, target: pd.Series) -> bool:
    """Whether logarithms or reciprocals of both, or they themselves, are a straight line."""
    if not _is_monotonous(values, target):
        return False
    x, y = (_scales(column.to_numpy(np.float64)) for column in (values, target))
    return any(abs(np.corrcoef(a, b)[0, 1]) > _EXACT for a in x for b in y)


def _scales(values: np.ndarray) -> list[np.ndarray]:
    """Numbers, and where all are positive their logarithms and reciprocals."""
    return [values, np.log(values), 1 / values] if values.min() > 0 else [values]


def _is_monotonous(values: pd.Series, target: pd.Series) -> bool:
    ranks = np.stack([values.rank().to_numpy(), target.rank().to_numpy()])
    if (ranks.std(axis=1) == 0).any():
        return False
    return bool(abs(np.corrcoef(ranks)[0, 1]) > RANK_CORRELATION)


def _separates(values: pd.Series, target: pd.Series) -> bool:
    """Whether each class is a range of the input that no other class has a value in, and not by chance."""
    classes = pd.factorize(target)[0]
    order = np.argsort(values.to_numpy(), kind="stable")
    x, c = values.to_numpy()[order], classes[order]
    changes = c[1:] != c[:-1]
    count = classes.max() + 1
    if count < 2 or changes.sum() != count - 1 or (changes & (x[1:] == x[:-1])).any():
        return False
    log_factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, len(c) + 1)))])
    sizes = np.bincount(classes)
    return bool(
        log_factorials[count] + log_factorials[sizes].sum() - log_factorials[len(c)] < np.log(LARGEST_CHANCE)
    )


def _determines(values: pd.Series, target: pd.Series) -> bool:
    """Whether all rows of a level have one value of the target, which has several, and not by chance."""
    levels, answers = pd.factorize(values)[0], pd.factorize(target)[0]
    sizes = np.bincount(levels)
    if len(sizes) > min(MOST_LEVELS, len(levels) // 2) or answers.max() == 0:
        return False
    if len(pd.DataFrame({"level": levels, "answer": answers}).drop_duplicates()) > len(sizes):
        return False
    shares = np.bincount(answers) / len(answers)
    return bool(np.log((shares[None] ** sizes[:, None]).sum(axis=1)).sum() < np.log(LARGEST_CHANCE))


def identifier_reason(header: str, values: pd.Series, targets: Sequence[tuple[pd.Series, bool]] = ()) -> str:
    """Why a column identifies the rows and describes none of them; empty where it does not.

    A header says so, or whole numbers that are different in nearly every row: those that count, without gaps
    to speak of, and those that no target goes with.

    Args:
        header: Name of the column in the file.
        values: The column, (n,).
        targets: The targets, (n,) each, and whether they are classes.

    Example:
        >>> values = pd.Series([3.0, 1.0])
        >>> identifier_reason("ICSD_ID", values), identifier_reason("T_ref", values)
        ('identifies the rows by its name', '')
        >>> identifier_reason("n", pd.Series(np.arange(100.0, 150.0)))
        'numbers the rows'
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", header).casefold()
    words = [word for word in re.split(r"[\W_\d]+", spaced) if word]
    is_counter = bool(words) and set(words) <= _COUNTERS | _FURTHER
    if words and (
        words[-1] in _LAST or (set(words) & _NAMES and set(words) <= _NAMES | _COUNTERS | _FURTHER)
    ):
        return "identifies the rows by its name"
    filled = values.dropna()
    if not pd.api.types.is_numeric_dtype(filled) or len(filled) < FEWEST_ROWS:
        return ""
    x = filled.to_numpy(np.float64)
    if (x != np.round(x)).any() or len(np.unique(x)) < DISTINCT * len(x):
        return ""
    if is_counter or header.strip() in ("", "#") or np.ptp(x) + 1 <= len(x) / DISTINCT:
        return "numbers the rows"
    strongest = max((abs(r) for target in targets for r in _correlations(filled, *target)), default=1.0)
    if strongest < 3.0 / np.sqrt(len(x) - 1.0):
        return "is a whole number that differs in nearly every row and goes with no target"
    return ""


def _correlations(values: pd.Series, target: pd.Series, is_class: bool) -> Iterator[float]:
    """Rank correlations of an input with a number, or with each class against all others."""
    target = target.reindex(values.index)
    parts: list[pd.Series] = [target == level for level in target.dropna().unique()] if is_class else [target]
    for part in parts:
        rows = pd.DataFrame({"value": values, "part": part.astype(np.float64)}).dropna().rank()
        constant = (rows.std(ddof=0) == 0).any()
        yield 0.0 if constant else float(np.corrcoef(rows.to_numpy().T)[0, 1])
