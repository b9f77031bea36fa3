"""Weights and standard uncertainties that a data set states of its rows: numbers, or nothing is trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nestmat.config.datasets import DatasetSpec
from nestmat.data.cells import CellRows
from nestmat.errors import InputError


def check_weights(rows: CellRows, frame: pd.DataFrame, spec: DatasetSpec, source: Path) -> None:
    """Check the weights and the uncertainties of the rows that are not rejected for another reason.

    A row whose weight is not stated is not rejected, as one without a label is: nothing tells how much it
    counts, and leaving it out would be one answer among several.

    Args:
        rows: Rows of the data set with their faults.
        frame: Their values.
        spec: The data set.
        source: File of the rows, for messages.

    Raises:
        InputError: A weight is missing, no number or negative, all are zero; or an uncertainty is missing, no
            number or not positive.
    """
    columns = list(dict.fromkeys(spec.weight_columns.values()))
    usable = [
        index
        for index in range(len(frame))
        if all(column in columns for column, *_ in rows.faults.get(index, ()))
    ]
    for column in columns:
        is_weight = column == spec.weights
        values = frame[column].to_numpy(np.float64)[usable]
        fits = values >= 0 if is_weight else values > 0
        if not fits.all():
            first = usable[int(np.argmin(fits))]
            raise InputError(
                f"The {'weight' if is_weight else 'standard uncertainty'} of the row is not "
                f"{'a number of 0 or more' if is_weight else 'a positive number'}; {np.sum(~fits)} of "
                f"{len(values)} rows have none.",
                file=source,
                row=rows.lines[first],
                column=column,
                value=rows.cell(column, first),
                remedy="state one for every row, or take the rows without one out of the table.",
            )
        if len(values) and is_weight and not values.any():
            raise InputError(
                "The weights of all rows are zero: nothing is left to learn from.",
                file=source,
                row=rows.lines[usable[0]],
                column=column,
                value=rows.cell(column, usable[0]),
                remedy="give positive weights, or leave out the key `weights`.",
            )
