"""Small scales whose targets follow from their descriptors, and trained models of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.models.autoencoder.specification import AutoencoderSpecification
from nestmat.models.keys import ModelKey
from nestmat.models.specification import Encoder, Head, Specification, Training
from nestmat.scales.train import TrainingJob, train_scale
from nestmat.tables import Column
from nestmat.training.checkpoints import Trained

FOLDS = 4


def write_scale(
    folder: Path, name: str, rows: int, target, seed: int = 0, levels: int = 3, count: int = FOLDS
) -> None:
    """Features and folds of a scale whose target is a function of its descriptors."""
    rng = np.random.default_rng(seed)
    descriptors = rng.normal(size=(rows, 3))
    level = rng.integers(levels, size=rows)
    groups = [f"m{i // 2}" for i in range(rows)]
    frame = pd.DataFrame({"row_id": np.arange(rows) + 10, "formula": "", "material": groups, "group": groups})
    schema = {key: Column("int64" if key == "row_id" else "string", role="key") for key in frame}
    for i in range(3):
        frame[f"d{i}"] = descriptors[:, i]
        schema[f"d{i}"] = Column("float64", role="feature", block="descriptors", unit="u")
    for k in range(levels):
        frame[f"layer={k}"] = (level == k).astype(float)
        schema[f"layer={k}"] = Column("float64", role="feature", block="layer")
    frame[f"{name}_y"] = target(descriptors, level)
    schema[f"{name}_y"] = Column("float64", role="target", unit="eV")
    blocks = {
        "descriptors": {"kind": "continuous", "columns": ["d0", "d1", "d2"]},
        "layer": {"kind": "categorical", "columns": [f"layer={k}" for k in range(levels)]},
    }
    tables.write(folder / f"{name}.parquet", frame, schema, {"blocks": blocks})
    fold = np.arange(rows) // 2 % count
    folds = pd.DataFrame(
        {"protocol": "strict", "repeat": 0, "row_id": frame["row_id"], "material": groups, "fold": fold}
    )
    folds = folds.assign(role="labelled", inner=-1, regions=0)
    tables.write(folder / f"{name}.folds.parquet", folds, tables.FOLDS, {"folds": {"strict": count}})


def outputs(folder: Path, name: str) -> dict[str, Path]:
    keys = ("history", "predictions", "latents")
    paths = {key: folder / f"{name}.{key}.parquet" for key in keys}
    return {"weights": folder / f"{name}.safetensors", "card": folder / f"{name}.json", **paths}


def train(folder: Path, name: str, specification: Specification, **options) -> Trained:
    return train_scale(
        TrainingJob(
            key=ModelKey(name, "strict", "nae"),
            specification=specification,
            features=folder / f"{name}.parquet",
            folds=folder / f"{name}.folds.parquet",
            **outputs(folder, options.pop("into", name)),
            **options,
        )
    )


def model(target: str, *inputs: str, heads: dict | None = None, **training) -> Specification:
    options = {"epochs": 20, "learning_rate": 0.02, "seeds": 2, **training}
    return AutoencoderSpecification(
        inputs=("descriptors", *inputs),
        encoder=Encoder(latents=2, hidden=(6,)),
        heads={target: Head(hidden=(8,)), **(heads or {})},
        training=Training(**options),
    )
