"""Rows of a small scale, its members, and a model of it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nestmat.models.autoencoder.specification import AutoencoderSpecification
from nestmat.models.specification import Encoder, Head, Specification, Training
from nestmat.training.inner_folds import RowSplit
from nestmat.training.members import Members
from nestmat.training.scale_data import ScaleData

ROWS, FOLDS = 61, 4


def scale(rows: int = ROWS, seed: int = 0) -> ScaleData:
    rng = np.random.default_rng(seed)
    x = {"descriptors": rng.normal([5.0, -2.0, 0.0], [1.0, 30.0, 0.1], size=(rows, 3))}
    x["A"] = rng.dirichlet(np.ones(3), size=rows)
    groups = np.array([f"m{i // 2}" for i in range(rows)])
    return ScaleData(
        row_id=np.arange(100, 100 + rows),
        material=groups,
        group=groups,
        x=x,
        kinds={"descriptors": "continuous", "A": "simplex"},
        columns={"descriptors": ["a", "b", "c"], "A": ["A:Cs", "A:MA", "A:FA"]},
        y={"gap": 3 + x["descriptors"][:, 0] * x["A"][:, 0] + x["A"][:, 1]},
        units={"a": "u", "gap": "eV"},
    )


def folds(data: ScaleData, repeats: int = 1) -> pd.DataFrame:
    number = np.unique(data.group, return_inverse=True)[1]
    parts = [
        pd.DataFrame({"repeat": r, "row_id": data.row_id, "fold": (number + r * (number % 3)) % FOLDS})
        for r in range(repeats)
    ]
    return pd.concat(parts).assign(role="labelled", inner=-1, regions=0)


def members(data: ScaleData, seeds: int = 2, stacked: bool = False, repeats: int = 1) -> Members:
    table = folds(data, repeats)
    splits = [RowSplit.of(table, repeat, data.row_id) for repeat in range(repeats)]
    return Members.build(splits, seeds, stacked)


def model(training: Training | None = None, **changes) -> Specification:
    options = {
        "inputs": ("descriptors", "A"),
        "encoder": Encoder(latents=2, hidden=(6,)),
        "heads": {"gap": Head(hidden=(8,)), "descriptors": Head(), "A": Head(loss="cross_entropy")},
        "training": training or Training(epochs=30, learning_rate=0.01),
    }
    return AutoencoderSpecification(**{**options, **changes})
