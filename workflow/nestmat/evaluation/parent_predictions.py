"""What a finer scale's recommended predictor says of the rows of a coarser one, for the baselines there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nestmat import tables
from nestmat.errors import InputError
from nestmat.scales.predictions import mean_column
from nestmat.training.members import ENSEMBLE_KEYS

ROW_KEYS = [*ENSEMBLE_KEYS, "row_id"]

BASELINES_OF_CHILDREN: tables.Schema = {
    "child": tables.Column("string", description="coarser scale that the rows are of"),
    "model": tables.Column("string"),
    "target": tables.Column("string"),
    **{name: tables.Column("int32", role="key") for name in ENSEMBLE_KEYS},
    "row_id": tables.Column("int64", role="key", description="row of the coarser scale"),
    "mean": tables.Column("float64"),
}
"""Predictions of baselines for rows of coarser scales, by fits that left out a fold, a pair or nothing."""


@dataclass(frozen=True)
class ParentPredictions:
    """Means that a parent's predictor states for the rows of a scale, one set a member of the protocol.

    Attributes:
        targets: Names of the parent's targets.
        values: (n, targets) by repeat, fold, and other fold or inner fold (-1 for none).
    """

    targets: tuple[str, ...]
    values: Mapping[tuple[int, int, int], np.ndarray]

    @classmethod
    def read(cls, path: str | Path, row_id: np.ndarray) -> ParentPredictions:
        """Read what `propagate_predictions` wrote.

        Args:
            path: The file.
            row_id: Rows of the scale in their order, (n,).

        Raises:
            InputError: The file lacks one of the rows.
        """
        frame, values = tables.read(path), {}
        columns = [column for column in frame.columns if column not in ROW_KEYS]
        for _, part in frame.groupby([*ENSEMBLE_KEYS]):
            by_row = part.set_index("row_id")[columns].reindex(row_id)
            if (missing := by_row.isna().any(axis=1)).any():
                raise InputError(
                    f"The file lacks the predictions of row_id {by_row.index[missing][0]}.",
                    file=path,
                    remedy="see the reject table of the parent's features for the reason; leave the row out.",
                )
            repeat, fold, inner = part[[*ENSEMBLE_KEYS]].iloc[0].astype(int)
            values[repeat, fold, inner] = by_row.to_numpy(np.float64)
        return cls(tuple(column.removesuffix(mean_column("")) for column in columns), values)

    @classmethod
    def of_new_rows(cls, means: Mapping[str, np.ndarray]) -> ParentPredictions:
        """Those of the members that trained on every row, by target, (n,) each."""
        targets = tuple(sorted(means))
        return cls(targets, {(0, -1, -1): np.column_stack([means[target] for target in targets])})

    def of(self, repeat: int, fold: int, inner: int) -> np.ndarray:
        """Those of the member that left out a fold, and another one or an inner fold, (n, targets).

        Raises:
            InputError: The parent has no such member.
        """
        if (repeat, fold, inner) not in self.values:
            raise InputError(
                f"The parent's predictions have no member for repeat {repeat}, fold {fold} and {inner}.",
                remedy="give the protocol as many folds, and inner folds, at the parent as at the child, "
                "and run the study again.",
            )
        return self.values[repeat, fold, inner]
