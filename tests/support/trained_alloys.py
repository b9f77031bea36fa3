"""A small semi-supervised model of alloys in a folder, with what is measured and explained of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from nestmat import tables
from nestmat.config.splits import Split
from nestmat.interpretation.disentanglement import (
    measure_latents,
)
from nestmat.interpretation.interpret import OUTPUTS, Effort, interpret_scale
from nestmat.interpretation.members import InterpretedModel
from nestmat.labels.scales import Labels
from nestmat.models.keys import ModelKey
from nestmat.models.semi_supervised.specification import SemiSupervisedSpecification
from nestmat.models.specification import Encoder, Head, Training
from nestmat.scales.train import TrainingJob, train_scale
from support.alloy_tables import scale, write_alloys, write_folds

SEEDS = 2


MODEL = SemiSupervisedSpecification(
    inputs=("shares", "evidence"),
    initialisation="lecun",
    encoder=Encoder(latents=3, hidden=(12,)),
    heads={
        "phase": Head(hidden=(12,), loss="binary_cross_entropy", weight=20.0),
        "shares": Head(hidden=(12,), loss="presence"),
    },
    composition="shares",
    classifier=("evidence",),
    training=Training(epochs=60, batch_size=16, learning_rate=0.01, seeds=SEEDS),
)


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """A folder with a trained model, its tables, and what is measured of its latents."""
    torch.set_num_threads(1)
    folder, data = tmp_path_factory.mktemp("alloys"), scale()
    data = replace(data, y={"phase": data.y["phase"]})
    files = {name: folder / f"{name}.parquet" for name in ("history", "predictions", "latents")}
    write_alloys(folder, data)
    train_scale(
        TrainingJob(
            key=ModelKey("alloys", "half", "m2"),
            specification=MODEL,
            features=folder / "alloys.parquet",
            folds=write_folds(folder, data),
            weights=folder / "m2.safetensors",
            card=folder / "m2.json",
            **files,
        )
    )
    measure_latents(
        folder / "m2.safetensors",
        folder / "alloys.parquet",
        folder / "latents.parquet",
        folder / "metrics.parquet",
        folder / "errors.parquet",
    )
    return folder


def labels(folder: Path) -> Labels:
    entry = SimpleNamespace(title="disentangled VAE", specification=MODEL)
    split = Split(kind="holdout", test=0.1)
    config = SimpleNamespace(
        models={"m2": entry},
        baselines={},
        protocols=["half"],
        splits={"half": split},
        targets=["phase"],
        features={},
        interpret=SimpleNamespace(model="m2"),
    )
    study = SimpleNamespace(scales={"alloys": config})
    return Labels(study, "alloys", tables.schema(folder / "alloys.parquet"))


@pytest.fixture(scope="session")
def interpreted(trained) -> pd.DataFrame:
    files = (trained / name for name in ("m2.safetensors", "alloys.parquet", "latents.parquet"))
    outputs = {name: trained / f"{name}.parquet" for name in OUTPUTS}
    interpret_scale(InterpretedModel(*files), Effort(permutations=99, background=16), outputs)
    return tables.read(trained / "attributions.parquet")
