"""What the baselines of a scale are fitted to: tables, and the inputs and targets that are read from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.config.features import NUMBER_OF_ELEMENTS
from nestmat.errors import InputError
from nestmat.evaluation.parent_predictions import ParentPredictions
from nestmat.materials.formulas import elements
from nestmat.training.scale_data import label_uncertainties, row_weights
from nestmat.training.weighting import Weighting


@dataclass(frozen=True)
class ScaleTables:
    """Tables that the baselines of a scale are fitted to.

    Attributes:
        features: Features of the scale.
        folds: Folds of the scale.
        parents: Predictions of finer scales for its rows, by scale, see `ParentPredictions`.
        children: Rows of coarser scales with the features of this one, by scale, which are predicted for the
            baselines there.
    """

    features: str | Path
    folds: str | Path
    parents: Mapping[str, str | Path] = field(default_factory=dict)
    children: Mapping[str, str | Path] = field(default_factory=dict)


@dataclass(frozen=True)
class BaselineInputs:
    """Inputs and targets of a scale: rows in ascending order of row_id.

    Attributes:
        row_id: Keys, (n,).
        blocks: Inputs of each feature block, (n, width).
        targets: Values of each target, (n,); NaN where not measured.
        classes: Names of the classes of each target that has some.
        formulas: Formulas of the rows, (n,), for the built-in input ``number_of_elements``.
        weights: Weight of each row in fits, (n,); None where all count alike.
        uncertainties: Known standard uncertainties of the labels of targets that have some, (n,) each.
        parents: Predictions of finer scales for the rows, by scale.
    """

    row_id: np.ndarray
    blocks: Mapping[str, np.ndarray]
    targets: Mapping[str, np.ndarray] = field(default_factory=dict)
    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    formulas: Sequence[str] = ()
    weights: np.ndarray | None = None
    uncertainties: Mapping[str, np.ndarray] = field(default_factory=dict)
    parents: Mapping[str, ParentPredictions] = field(default_factory=dict)

    @classmethod
    def of(cls, frame: pd.DataFrame, path: str | Path) -> BaselineInputs:
        """Inputs of ``frame``, with those blocks and targets of the features table at ``path`` that it has.

        Raises:
            InputError: An input is not finite.
        """
        frame = frame.sort_values("row_id")
        layout = tables.provenance(path)["blocks"]
        blocks = {
            name: frame[block["columns"]].to_numpy(np.float64)
            for name, block in layout.items()
            if set(block["columns"]) <= set(frame.columns)
        }
        for name, values in blocks.items():
            if len(bad := np.argwhere(~np.isfinite(values))):
                row, column = bad[0]
                raise InputError(
                    f"An input of block {name!r} is not finite for row_id {frame['row_id'].iloc[row]}.",
                    file=path,
                    column=layout[name]["columns"][column],
                    remedy="reject rows without the value (missing: reject) or leave the column out.",
                )
        schema = tables.schema(path)
        targets = {
            name: frame[name].to_numpy(np.float64)
            for name, column in schema.items()
            if column.role == "target" and name in frame
        }
        classes = {name: schema[name].classes for name in targets if schema[name].classes}
        formulas = frame["formula"].tolist() if "formula" in frame else ()
        if not targets:
            return cls(frame["row_id"].to_numpy(), blocks, formulas=formulas)
        weights, uncertainties = row_weights(frame, schema), label_uncertainties(frame, schema)
        return cls(frame["row_id"].to_numpy(), blocks, targets, classes, formulas, weights, uncertainties)

    @classmethod
    def read(cls, path: str | Path, parents: Mapping[str, str | Path] | None = None) -> BaselineInputs:
        """Inputs and targets of a features table, with predictions of finer scales for its rows by scale."""
        inputs = cls.of(tables.read(path), path)
        predictions = {
            name: ParentPredictions.read(file, inputs.row_id) for name, file in (parents or {}).items()
        }
        return replace(inputs, parents=predictions)

    def matrix(self, names: Sequence[str], member: tuple[int, int, int] = (0, -1, -1)) -> np.ndarray:
        """Inputs of a member of the protocol, next to each other, (n, sum of widths).

        Args:
            names: Feature blocks and finer scales.
            member: Repeat, fold and other fold or inner fold that predictions of finer scales left out; by
                default those of fits on every row.
        """
        return np.concatenate([self._input(name, member) for name in names], axis=1)

    def _input(self, name: str, member: tuple[int, int, int]) -> np.ndarray:
        if name == NUMBER_OF_ELEMENTS:
            return self._number_of_elements()
        return self.parents[name].of(*member) if name in self.parents else self.blocks[name]

    def weighting(self, target: str) -> Weighting:
        """How much the rows count in fits of a target."""
        return Weighting(self.weights, self.uncertainties.get(target))

    def _number_of_elements(self) -> np.ndarray:
        return np.array([[float(len(symbols))] for symbols in elements(self.formulas)]).reshape(-1, 1)
