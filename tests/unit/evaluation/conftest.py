"""Features and folds of a small scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nestmat.evaluation.protocols import assign_folds
from support.feature_tables import write_features


@pytest.fixture
def scale(tmp_path: Path):
    """Write features and folds of a small scale with two targets, one of which lacks a label."""

    def make(change=None) -> tuple[Path, Path]:
        rng = np.random.default_rng(0)
        x = rng.normal(size=(60, 4))
        frame = pd.DataFrame(x, columns=["a0", "a1", "b0", "b1"])
        frame["material"] = [f"m{i // 2}" for i in range(60)]
        frame["y"] = np.sin(x[:, 0]) + x[:, 2] + 0.1 * rng.normal(size=60)
        frame["v"] = x[:, 1] ** 2
        frame.loc[7, "v"] = np.nan
        if change is not None:
            change(frame)
        features = write_features(
            tmp_path / "features.parquet", frame, {"a": ["a0", "a1"], "b": ["b0", "b1"]}, ["y", "v"]
        )
        folds = tmp_path / "folds.parquet"
        plain = {"kind": "kfold", "folds": 4, "seed": 1, "repeats": [5]}
        splits = {"s": {"plain": plain, "halves": {"kind": "shared", "folds": 2}}}
        assign_folds({"s": features}, {"s": folds}, {"folds": 3}, splits, {"s": ["y", "v"]})
        return features, folds

    return make
