"""A small scale of alloys with a class, an autoencoder of it, and a study that asks for the class."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from nestmat import tables
from nestmat.evaluation.protocols import assign_folds
from nestmat.models.autoencoder.specification import AutoencoderSpecification
from nestmat.models.keys import ModelKey
from nestmat.models.specification import Encoder, Head, Training
from nestmat.scales.train import TrainingJob, train_scale
from nestmat.tables import Column

CLASSES = ["several phases", "single phase"]

CLASS_HEAD = Head(loss="binary_cross_entropy", hidden=(8,))

CLASS_SPECIFICATION = AutoencoderSpecification(
    inputs=("inputs",),
    encoder=Encoder(latents=2, hidden=(8,)),
    heads={"phase": CLASS_HEAD, "inputs": Head(loss="mse", weight=0.1)},
    training=Training(epochs=60, learning_rate=0.02, seeds=3),
)


@pytest.fixture(scope="session")
def class_scale(tmp_path_factory):
    """Features and folds of 160 alloys, their class along a noisy line; some labels are hidden."""
    folder = tmp_path_factory.mktemp("classes")
    rng = np.random.default_rng(0)
    n = 160
    x = rng.normal(size=(n, 2))
    formula = [f"Fe{i + 1}Ni" if i % 2 else f"Fe{i + 1}NiCrCo" for i in range(n)]
    frame = pd.DataFrame({"row_id": np.arange(n), "formula": formula, "material": formula, "group": formula})
    frame["a"], frame["b"] = 100 + x[:, 0], x[:, 1]
    frame["phase"] = (x[:, 0] + x[:, 1] + rng.logistic(0, 0.4, n) > 0).astype(float)
    schema = {"row_id": Column("int64", role="key")}
    schema |= {key: Column("string", role="key") for key in ("formula", "material", "group")}
    schema |= {key: Column("float64", role="feature", block="inputs") for key in ("a", "b")}
    schema["phase"] = Column("float64", role="target", classes=tuple(CLASSES))
    features, folds = folder / "s.parquet", folder / "folds.parquet"
    blocks = {"inputs": {"kind": "continuous", "columns": ["a", "b"]}}
    tables.write(features, frame, schema, {"blocks": blocks})
    split = {"kind": "holdout", "test": 0.25, "hidden": 0.25, "seed": 1, "repeats": [2], "inner_folds": 3}
    assign_folds({"s": features}, {"s": folds}, {}, {"s": {"half": split}}, {"s": ["phase"]})
    return features, folds


@pytest.fixture(scope="session")
def trained_class(class_scale, tmp_path_factory):
    """An autoencoder of the scale, trained in both repeats."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("trained")
    files = {name: folder / f"s.{name}.parquet" for name in ("history", "predictions", "latents")}
    train_scale(
        TrainingJob(
            key=ModelKey("s", "half", "ae"),
            specification=CLASS_SPECIFICATION,
            features=class_scale[0],
            folds=class_scale[1],
            weights=folder / "s.safetensors",
            card=folder / "s.json",
            stacked=True,
            **files,
        )
    )
    return folder


def class_configuration() -> dict:
    """A study of one scale with a class and a number."""
    return {
        "study": "s",
        "title": "t",
        "question": "q",
        "datasets": {
            "rows": {
                "title": "t",
                "file": "t.csv",
                "formula": "alloy",
                "columns": {"a": {}, "phase": {"classes": CLASSES, "label": True}, "gap": {"unit": "eV"}},
            }
        },
        "scales": {
            "s": {
                "dataset": "rows",
                "targets": ["phase"],
                "features": {"inputs": {"columns": ["a"]}},
                "splits": {"half": {"kind": "holdout", "test": 0.2}},
                "models": {
                    "ae": {
                        "specification": {
                            "inputs": ["inputs"],
                            "encoder": {"latents": 2},
                            "heads": {"phase": {"loss": "binary_cross_entropy"}},
                        }
                    }
                },
                "baselines": {"rule": {"kind": "stump", "inputs": ["number_of_elements"]}},
                "recommended": {"stack": ["ae", "rule"], "weights": "equal"},
            }
        },
    }
