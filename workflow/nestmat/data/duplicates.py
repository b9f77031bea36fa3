"""Rows of a data set that repeat others."""

from __future__ import annotations

from collections.abc import Sequence

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
    for _, group in repeated.groupby(key, dropna=False, sort=False):
        differing = _differing_labels(group, labels)
        for index, line in zip(group.index.tolist(), group["row"], strict=True):
            twins = _format_lines([twin for twin in group["row"] if twin != line])
            if not differing:
                if spec.duplicates != "reject":
                    rows.add_flag(index, f"repeats {twins}")
                elif index != group.index[0]:
                    rows.add_fault(index, "", f"row {group['row'].iloc[0]}", "repeats an earlier row")
                continue
            column = differing[0]
            reason = f"has the same inputs as {twins} and another {' and '.join(differing)}"
            if spec.duplicates in ("flag", "first"):
                rows.add_flag(index, f"{column}: {reason}")
            else:
                rows.add_fault(index, column, str(group.at[index, column]), reason)


def _reject_repetitions(rows: CellRows, frame: pd.DataFrame, key: list[str], labels: Sequence[str]) -> None:
    """Leave out the rows that repeat an earlier one, also with another label."""
    usable = frame.drop(index=list(rows.faults))
    for _, group in usable[usable.duplicated(key, keep=False)].groupby(key, dropna=False, sort=False):
        first, *later = group.index.tolist()
        reason = f"repeats row {rows.lines[first]}"
        for index in later:
            if differing := _differing_labels(group.loc[[first, index]], labels):
                more = f" with another {' and '.join(differing)}"
                rows.add_fault(index, differing[0], str(group.at[index, differing[0]]), reason + more)
            else:
                rows.add_fault(index, "", "", reason)


def _differing_labels(group: pd.DataFrame, labels: Sequence[str]) -> list[str]:
    return [label for label in labels if group[label].nunique(dropna=False) > 1]


def _format_lines(lines: list[int]) -> str:
    shown = ", ".join(str(line) for line in lines[:3])
    more = f" and {len(lines) - 3} more" if len(lines) > 3 else ""
    return f"row{'s' if len(lines) > 1 else ''} {shown}{more}"
