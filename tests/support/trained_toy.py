"""A small trained scale with one parent, in a folder."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.interpretation.members import InterpretedModel
from nestmat.models.keys import ModelKey
from nestmat.models.specification import specification_from
from nestmat.scales.train import LATENT_KEYS, TrainingJob, train_scale
from nestmat.tables import Column

SPECIFICATION = {
    "inputs": ["descriptors", "layer", "fine"],
    "encoder": {"latents": 3, "activation": "identity", "latent_activation": "identity"},
    "heads": {"Gap": {"loss": "mse"}, "layer": {"loss": "cross_entropy", "weight": 0.1}},
    "training": {"epochs": 40, "learning_rate": 0.02, "seeds": 2},
}


ROWS, FOLDS, LAYERS = 60, 3, ["layer=a", "layer=b", "layer=c"]


ORDERS = {-1: [0, 1, 2], 0: [0, 1, 2], 1: [2, 0, 1], 2: [1, 2, 0]}


def write_scale(folder):
    """Features of two blocks, folds, and latents of a finer scale in another order in each fold."""
    rng = np.random.default_rng(0)
    values = {name: rng.normal(size=ROWS) for name in ("a", "b", "c")}
    level = rng.integers(0, 3, ROWS)
    values |= {name: (level == i).astype(float) for i, name in enumerate(LAYERS)}
    values["Gap"] = 1.5 + values["a"] - 0.5 * values["b"] + 0.1 * rng.normal(size=ROWS)
    names = [f"m{i}" for i in range(ROWS)]
    keys = {"row_id": np.arange(ROWS), "formula": names, "material": names, "group": names}
    blocks = {"descriptors": ["a", "b", "c"], "layer": LAYERS}
    schema = {name: Column("int64" if name == "row_id" else "string") for name in keys}
    for block, names in blocks.items():
        schema |= {name: Column("float64", role="feature", block=block) for name in names}
    schema["Gap"] = Column("float64", unit="eV", role="target")
    frame = pd.DataFrame({**keys, **values})
    kinds = {"descriptors": "continuous", "layer": "categorical"}
    about = {"blocks": {name: {"kind": kinds[name], "columns": names} for name, names in blocks.items()}}
    tables.write(folder / "features.parquet", frame, schema, about)
    fold = rng.permutation(np.arange(ROWS) % FOLDS).astype(np.int32)
    folds = {
        "protocol": "strict",
        "repeat": 0,
        "row_id": np.arange(ROWS),
        "material": frame["material"],
        "fold": fold,
        "role": "labelled",
        "inner": -1,
        "regions": 0,
    }
    tables.write(folder / "folds.parquet", pd.DataFrame(folds), tables.FOLDS, {"folds": {"strict": FOLDS}})

    fine, parts = rng.normal(size=(ROWS, 3)), []
    for member, (left_out, order) in enumerate(ORDERS.items()):
        part = pd.DataFrame((fine * [1, -1, 1])[:, order], columns=["z0", "z1", "z2"])
        where = {"member": member, "repeat": 0, "fold": left_out, "inner": -1, "seed": 0}
        parts.append(part.assign(**where, row_id=np.arange(ROWS)))
    latents = {name: Column("float32", role="latent") for name in ("z0", "z1", "z2")}
    tables.write(
        folder / "fine.parquet", pd.concat(parts), {**LATENT_KEYS, **latents}, {"protocol": "strict"}
    )
    outputs = {name: folder / f"{name}.parquet" for name in ("history", "predictions", "latents")}
    train_scale(
        TrainingJob(
            key=ModelKey("toy", "strict", "toy"),
            specification=specification_from(SPECIFICATION),
            features=folder / "features.parquet",
            folds=folder / "folds.parquet",
            weights=folder / "toy.safetensors",
            card=folder / "toy.json",
            parents={"fine": folder / "fine.parquet"},
            **outputs,
        )
    )


def model_in(folder):
    """Files of the trained model."""
    weights, features, latents = (
        folder / name for name in ("toy.safetensors", "features.parquet", "latents.parquet")
    )
    return InterpretedModel(weights, features, latents, parents={"fine": folder / "fine.parquet"})
