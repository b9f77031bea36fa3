"""Rows of a data set that repeat others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nestmat.config.datasets import DatasetSpec
from nestmat.data.cells import CellRows


def find_duplicates(rows: CellRows, frame: pd.DataFrame, spec: DatasetSpec, targets: Sequence[str]) -> None:
    """Flag or reject the rows that repeat others, as the data set wants it.

    Args:
        rows: Rows of the data set, whose faults and flags are added to.
        frame: Their values.
        spec: The data set.
        targets: Columns that the study predicts.
    """
    if spec.duplicates == "keep":
        return
    labels = [key for key, c in spec.columns.items() if c.label or key in targets]
    # How certain a label is does not make its row another material.
    no_inputs = {*labels, *spec.weight_columns.values()}
    inputs = [key for key, c in spec.columns.items() if c.kind != "text" and key not in no_inputs]
    key = inputs + (["material"] if spec.formula or spec.formula_template else [])
    if not key:
        return
    if spec.duplicates == "first":
        _reject_repetitions(rows, frame, ["formula", *inputs], labels)
    usable = frame.drop(index=list(rows.faults))
    repeated = usable[usable.duplicated(key, keep=False)]
    groups = repeated.groupby(key, dropna=False, sort=False).ngroup().to_numpy()
    differing = _differing_labels(repeated, groups, labels)
    lines = repeated["row"].tolist()
    lines_of_group: dict[int, list[int]] = {}
    for number, line in zip(groups.tolist(), lines, strict=True):
        lines_of_group.setdefault(number, []).append(line)
    for k, index in enumerate(repeated.index.tolist()):
        group = lines_of_group[groups[k]]
        if not differing[k]:
            if spec.duplicates != "reject":
                rows.add_flag(index, f"repeats {_format_twins(group, lines[k])}")
            elif lines[k] != group[0]:
                rows.add_fault(index, "", f"row {group[0]}", "repeats an earlier row")
            continue
        column, twins = differing[k][0], _format_twins(group, lines[k])
        reason = f"has the same inputs as {twins} and another {' and '.join(differing[k])}"
        if spec.duplicates in ("flag", "first"):
            rows.add_flag(index, f"{column}: {reason}")
        else:
            rows.add_fault(index, column, str(frame.at[index, column]), reason)


def _reject_repetitions(rows: CellRows, frame: pd.DataFrame, key: list[str], labels: Sequence[str]) -> None:
    """Leave out the rows that repeat an earlier one, also with another label."""
    usable = frame.drop(index=list(rows.faults))
    repeated = usable[usable.duplicated(key, keep=False)]
    groups = repeated.groupby(key, dropna=False, sort=False).ngroup().to_numpy()
    indices = repeated.index.to_numpy()
    _, places, group_of = np.unique(groups, return_index=True, return_inverse=True)
    first = places[group_of] if len(groups) else groups
    codes = {label: _codes(repeated[label]) for label in labels}
    for k in np.flatnonzero(first != np.arange(len(groups))).tolist():
        index, reason = int(indices[k]), f"repeats row {rows.lines[indices[first[k]]]}"
        if differing := [label for label in labels if codes[label][k] != codes[label][first[k]]]:
            more = f" with another {' and '.join(differing)}"
            rows.add_fault(index, differing[0], str(frame.at[index, differing[0]]), reason + more)
        else:
            rows.add_fault(index, "", "", reason)


def _codes(values: pd.Series) -> np.ndarray:
    """A number for each distinct value, one for all that are missing."""
    return pd.factorize(values, use_na_sentinel=False)[0]


def _differing_labels(frame: pd.DataFrame, groups: np.ndarray, labels: Sequence[str]) -> list[list[str]]:
    """Labels that are not the same in all rows of the group of each row.

    Args:
        frame: Rows.
        groups: Number of the group of each row.
        labels: Columns of labels.
    """
    differing: list[list[str]] = [[] for _ in range(len(frame))]
    for label in labels:
        codes = pd.Series(_codes(frame[label])).groupby(groups)
        for k in np.flatnonzero((codes.transform("min") != codes.transform("max")).to_numpy()).tolist():
            differing[k].append(label)
    return differing


def _format_twins(group: Sequence[int], line: int) -> str:
    """The lines of a group but one: the first three, and the number of the others."""
    shown = [twin for twin in group[:4] if twin != line][:3]
    more = len(group) - 1 - len(shown)
    listed = ", ".join(map(str, shown)) + (f" and {more} more" if more else "")
    return f"row{'s' if len(group) > 2 else ''} {listed}"
