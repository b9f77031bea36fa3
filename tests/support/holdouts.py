"""Holdouts of alloys: test rows, and others of which some hide their labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nestmat.config.splits import Split
from nestmat.evaluation.protocols import assign_folds
from support.feature_tables import write_features

PUBLISHED_HOLDOUT = Split(kind="holdout", test=0.1, hidden=0.3, unused=0.2, seed=42)


def rows_of(n: int, formula: object = "Fe1Ni1") -> pd.DataFrame:
    return pd.DataFrame({"row_id": np.arange(n), "formula": formula, "material": formula, "y": 0.0})


def random_alloys(rng: np.random.Generator, n: int) -> list[str]:
    symbols = ["Fe", "Ni", "Cr", "Co", "Al", "Ti"]
    return [
        "".join(f"{e}{rng.integers(1, 4)}" for e in rng.choice(symbols, rng.integers(1, 5), replace=False))
        for _ in range(n)
    ]


def assign_holdout(folder: Path, **changes) -> tuple[Path, Path]:
    """Features and folds of a scale with a holdout of two repeats."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"formula": random_alloys(rng, 120), "x": rng.normal(size=120)})
    frame["material"] = frame["formula"]
    frame["y"] = 2 * frame["x"] + rng.normal(0, 0.1, 120)
    split = {**PUBLISHED_HOLDOUT.model_dump(), "repeats": [1], **changes}
    features = write_features(folder / "s.parquet", frame, {"inputs": ["x"]}, ["y"])
    assign_folds({"s": features}, {"s": folder / "f.parquet"}, {}, {"s": {"half": split}}, {"s": ["y"]})
    return features, folder / "f.parquet"
