"""A small scale: baselines that fit it in moments, and made-up predictions of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.evaluation.stack import StackFiles
from nestmat.evaluation.standings import StackedScale

QUICK = {
    "ridge": {"kind": "ridge", "inputs": ["a", "b"]},
    "nusvr": {"kind": "nusvr", "inputs": ["a"], "C": 1.0, "gamma": 0.1},
    "forest": {"kind": "extra_trees", "inputs": ["a", "b"], "n_estimators": 4},
    "xgboost": {"kind": "xgboost", "inputs": ["b"], "n_estimators": 2, "max_depth": 1},
    "process": {"kind": "gaussian_process", "inputs": ["a"]},
}


STACK = ["ridge", "nusvr", "forest", "process"]


def stacked_scale(features: Path, folds: Path, **columns: list[str]) -> StackedScale:
    """A scale with a stack that reads blocks of columns."""
    return StackedScale("s", features, folds, {name: {"columns": value} for name, value in columns.items()})


def stack_files(folder: Path) -> StackFiles:
    return StackFiles(folder / "r.parquet", folder / "r.json", folder / "r.domain.parquet")


def predictions_of(model: str, noise: float, seeds: tuple[int, ...] = (-1,)) -> pd.DataFrame:
    rng = np.random.default_rng(len(model))
    true, parts = np.random.default_rng(9).normal(size=60), []
    for seed in seeds:
        for fold in (-1, 0, 1, 2):
            for split in ("train", "validation"):
                rows = np.flatnonzero((np.arange(60) % 3 == fold) == (split == "validation"))
                rows = np.arange(60) if fold == -1 and split == "train" else rows
                if fold == -1 and split == "validation":
                    continue
                mean = true[rows] + noise * rng.normal(size=len(rows))
                part = {
                    "row_id": rows,
                    "true": true[rows],
                    "mean": mean,
                    "std": noise,
                    "fold": fold,
                    "split": split,
                }
                parts.append(pd.DataFrame(part).assign(seed=seed))
    frame = pd.concat(parts, ignore_index=True)
    return frame.assign(protocol="strict", model=model, target="y", repeat=0, inner=-1)[
        list(tables.PREDICTIONS)
    ]


def holdout_predictions(seed: int = 0, repeats: int = 8, rows: int = 150) -> pd.DataFrame:
    """A good and a worse classifier, and train and validation rows of a holdout with ``repeats`` repeats."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 2, rows).astype(float)
    parts = []
    for repeat in range(repeats):
        test = rng.permutation(rows) < rows // 5
        for model, noise in (("good", 0.25), ("worse", 0.6)):
            mean = np.clip(true + rng.normal(0, noise, rows), 0, 1)
            parts.append(
                pd.DataFrame(
                    {
                        "row_id": np.arange(rows),
                        "repeat": repeat,
                        "split": np.where(test, "validation", "train"),
                        "true": true,
                        "mean": mean,
                        "model": model,
                    }
                )
            )
    about = {"protocol": "half", "target": "phase", "fold": 0, "inner": -1, "seed": -1, "std": np.nan}
    return pd.concat(parts, ignore_index=True).assign(**about)[list(tables.PREDICTIONS)]
