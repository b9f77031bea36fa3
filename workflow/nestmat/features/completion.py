"""Descriptor columns of new materials, from what the training table shows them to be.

Published tables give site-averaged descriptors as columns. Where such a column is a linear mix of the site
fractions and classes that are known for a new material, its value follows from the table itself; where it is
not, it must be given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from nestmat.errors import InputError

TOLERANCE = 0.01
"""Largest residual that counts as rounding, in standard deviations of the column."""


def complete(
    names: Sequence[str], rows: pd.DataFrame, training: pd.DataFrame, groups: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """Columns for new rows, as linear mixes learned exactly from the training rows.

    Args:
        names: Names of continuous columns.
        rows: New rows (n); holds every column of ``groups``.
        training: Training rows with the columns of ``groups`` and those named.
        groups: Fraction or one-hot columns by block; each block's columns sum to 1.

    Returns:
        Frame (n, names), with the index of ``rows``.

    Raises:
        InputError: A column is no linear mix of the blocks, so that it cannot be derived.
    """
    columns = [column for block in groups.values() for column in block]
    basis = training[columns].to_numpy(np.float64)
    completed = {}
    for name in names:
        values = training[name].to_numpy(np.float64)
        # Each block sums to 1, so weights are not unique, but what they predict is.
        weights = np.linalg.lstsq(basis, values, rcond=None)[0] if columns else np.zeros(0)
        residual = np.abs(values - basis @ weights).max(initial=0.0)
        if residual > TOLERANCE * values.std() + 1e-9 * np.abs(values).max(initial=0.0):
            raise InputError(
                "The column is not in the input and does not follow from the formula and the classes.",
                column=name,
                remedy="add the column to the input file, in the unit of the training data.",
            )
        completed[name] = rows[columns].to_numpy(np.float64) @ weights
    return pd.DataFrame(completed, index=rows.index)
