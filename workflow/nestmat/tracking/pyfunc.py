"""How MLflow loads a scale's model: from safetensors and this code, never from a pickle.

MLflow copies this file next to the weights and runs it: it needs an installed nestmat and nothing of a study.
"""

from __future__ import annotations

from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc import PythonModel

from nestmat.scales.predictions import mean_column, std_column
from nestmat.scales.train import ensemble
from nestmat.training.checkpoints import Trained


def input_columns(trained: Trained) -> list[str]:
    """Columns of the model's input: features by name, latents of a parent as ``<parent>.<seed>.<latent>``.

    The latents come from the parent's members one by one, since those do not share their latent axes.
    """
    names = [column for columns in trained.inputs.values() for column in columns]
    for parent in _parents(trained):
        names += [f"{parent}.{seed}.{z}" for seed in trained.members["seed"] for z in trained.columns[parent]]
    return names


def output_columns(trained: Trained) -> list[str]:
    """Columns of the model's output: mean and standard deviation of targets, or the latents of each seed."""
    targets = [name for name in trained.targets if name in trained.specification.heads]
    if targets:
        return [name(target) for target in targets for name in (mean_column, std_column)]
    latents = range(trained.specification.encoder.latents)
    return [f"{seed}.z{i}" for seed in trained.members["seed"] for i in latents]


def _parents(trained: Trained) -> list[str]:
    return [name for name in trained.specification.inputs if name in trained.parents]


class ScaleModel(PythonModel):
    """Mean and standard deviation of every target, over the members trained on all rows.

    Of a scale without targets, the latents of each of these members.
    """

    def load_context(self, context: Any) -> None:
        """Read weights and card."""
        self.trained = Trained.load(context.artifacts["weights"], context.artifacts["card"])

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """The columns of `output_columns`, targets in their unit, one row a row of the input."""
        trained = self.trained
        blocks = {name: model_input[columns].to_numpy(np.float64) for name, columns in trained.inputs.items()}
        for parent in _parents(trained):
            seeds = [
                model_input[[f"{parent}.{seed}.{z}" for z in trained.columns[parent]]].to_numpy(np.float64)
                for seed in trained.members["seed"]
            ]
            blocks[parent] = np.stack(seeds)
        latents, predicted = trained.apply(blocks, np.arange(len(trained.members)))
        if predicted:
            values = [part for means, stds in predicted.values() for part in ensemble(means, stds)]
        else:
            values = [z for member in latents for z in member.T]
        columns = dict(zip(output_columns(trained), values, strict=True))
        return pd.DataFrame(columns, index=model_input.index)


mlflow.models.set_model(ScaleModel())
