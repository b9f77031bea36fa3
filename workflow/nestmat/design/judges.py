"""Judges of designed materials: other models on other features and other rows, and the physics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor

from nestmat import tables
from nestmat.config.features import FeatureBlock
from nestmat.errors import InputError
from nestmat.evaluation.estimators.censored_process import CensoredProcess
from nestmat.features.matminer_cache import CACHE
from nestmat.features.table import featurize
from nestmat.physics.devices import GAP_RANGE, PROCESS_RANGES, efficiency

Judged = dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Mean and standard deviation (n,) by quantity; NaN where a judge states none."""


Numbers = NDArray[np.float64]
Predict = Callable[[Numbers], tuple[Numbers, Numbers]]
"""Mean and standard deviation (n,) of a target at features (n, columns)."""
Learn = Callable[[Numbers, Numbers, float | None], Predict]
"""What a judge learns from features (n, columns), a target (n,) and the target's floor, if it has one."""


def trees(count: int) -> Learn:
    """Extremely randomised trees; the standard deviation is their spread.

    Args:
        count: Number of trees.
    """

    def learn(x: Numbers, y: Numbers, _floor: float | None) -> Predict:
        model = ExtraTreesRegressor(count, random_state=0).fit(x, y)

        def predict(new: Numbers) -> tuple[Numbers, Numbers]:
            each = np.stack([tree.predict(new.astype(np.float32)) for tree in model.estimators_])
            return each.mean(axis=0), each.std(axis=0)

        return predict

    return learn


def gaussian_process(nu: float, rows: int) -> Learn:
    """A Gaussian process; see `CensoredProcess` for the arguments."""
    return lambda x, y, floor: CensoredProcess(floor, nu, rows).fit(x, y).predict


@dataclass(frozen=True)
class Judge:
    """A model for every target of a chain, each on its own rows and features.

    Attributes:
        blocks: Feature blocks; a scale uses those whose columns its data set has.
        learn: The kind of model.
    """

    blocks: Mapping[str, FeatureBlock]
    learn: Learn
    _fitted: dict[str, _Fitted] = field(default_factory=dict, init=False, repr=False)

    def fit(
        self,
        scale: str,
        data: str | Path,
        features: str | Path,
        folds: str | Path,
        *,
        targets: Mapping[str, float | None],
        protocol: str,
        fold: int,
    ) -> None:
        """Train on the rows of a scale that a fold holds out, which its members have not seen.

        Args:
            scale: Name of the scale.
            data: Its data set, read.
            features: Features and targets of the scale.
            folds: Its folds.
            targets: Columns to predict, with the floor of each, if it has one.
            protocol: Protocol of the fold.
            fold: The fold.

        Raises:
            InputError: The fold holds no row out, or a block cannot be computed.
        """
        held = tables.read(folds, columns=["row_id"], protocol=protocol, repeat=0, fold=fold)["row_id"]
        known = tables.read(features, columns=["row_id", *targets])
        known = known[known["row_id"].isin(held)]
        if known.empty:
            raise InputError(f"holds no row of fold {fold} of {protocol!r}.", file=folds)
        rows = tables.read(data)
        rows = rows[rows["row_id"].isin(known["row_id"])]
        blocks = {name: block for name, block in self.blocks.items() if _given(block, set(rows.columns))}
        found = featurize(rows, blocks, schema=tables.schema(data), source=data, cache=CACHE)
        merged = found.frame.merge(known, on="row_id", validate="one_to_one")
        columns = [column for block in found.blocks.values() for column in block["columns"]]
        x = merged[columns].to_numpy(np.float64)
        models = {
            target: self.learn(x, merged[target].to_numpy(np.float64), floor)
            for target, floor in targets.items()
        }
        self._fitted[scale] = _Fitted(blocks, found.levels, found.frame, columns, models)

    def predict(self, table: pd.DataFrame) -> Judged:
        """What the models say of materials.

        Args:
            table: Rows as `featurize` takes them.

        Returns:
            By ``<scale>.<target>``.
        """
        found: Judged = {}
        for scale, fitted in self._fitted.items():
            made = featurize(
                table, fitted.blocks, levels=fitted.levels, training=fitted.training, cache=CACHE
            )
            if not made.rejects.empty:
                first = made.rejects.iloc[0]
                raise InputError(
                    f"the judge of scale {scale} has no features for it: {first['reason']}",
                    row=int(first["row"]),
                    column=first["column"],
                    value=first["value"],
                )
            x = made.frame[fitted.columns].to_numpy(np.float64)
            found |= {f"{scale}.{target}": predict(x) for target, predict in fitted.models.items()}
        return found


@dataclass(frozen=True)
class _Fitted:
    blocks: Mapping[str, FeatureBlock]
    levels: Mapping[str, list[str]]
    training: pd.DataFrame
    columns: list[str]
    models: Mapping[str, Predict]


def _given(block: FeatureBlock, columns: set[str]) -> bool:
    """Whether a data set has the columns that a block names; what follows from the formula always counts."""
    named = [*block.numbers, *([block.one_hot] if block.one_hot else [])]
    return set(named) <= columns


def simulated(
    table: pd.DataFrame, gap: NDArray[np.float64], headers: Mapping[str, str]
) -> NDArray[np.float64]:
    """Efficiency in percent by the simulator at given gaps; 0 where the gap makes no device.

    Args:
        table: Process of each material.
        gap: Gap in eV, (n,).
        headers: Name in ``table`` of each process variable of the simulator.

    Returns:
        (n,).
    """
    low, high = GAP_RANGE
    process = {f"log_{name}": table[headers[f"log_{name}"]].to_numpy(np.float64) for name in PROCESS_RANGES}
    devices = pd.DataFrame({"gap": np.clip(gap, low, high), **process})
    return np.where((gap >= low) & (gap <= high), efficiency(devices), 0.0)
