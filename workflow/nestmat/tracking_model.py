"""How MLflow loads a scale's model: from safetensors and this code, never from a pickle.

MLflow copies this file beside the weights and runs it: it needs an installed nestmat and nothing of a study.
"""

from __future__ import annotations

from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc import PythonModel

from nestmat.scales.train import ensemble
from nestmat.training.checkpoints import Trained


def input_columns(trained: Trained) -> list[str]:
    """Columns of the model's input: features by name, latents of a parent as ``<parent>.<seed>.<latent>``.

    The latents come from the parent's members one by one, since those do not share their latent axes.
    """
    found = [column for columns in trained.inputs.values() for column in columns]
    for parent in _parents(trained):
        found += [f"{parent}.{seed}.{z}" for seed in trained.members["seed"] for z in trained.columns[parent]]
    return found


def _parents(trained: Trained) -> list[str]:
    return [name for name in trained.specification.inputs if name in trained.parents]


class ScaleModel(PythonModel):
    """Mean and standard deviation of every target, over the members trained on all rows."""

    def load_context(self, context: Any) -> None:
        """Read weights and card."""
        self.trained = Trained.load(context.artifacts["weights"], context.artifacts["card"])

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """Columns ``<target>.mean`` and ``<target>.std`` in the target's unit, one row a row of the input."""
        trained = self.trained
        blocks = {name: model_input[columns].to_numpy(np.float64) for name, columns in trained.inputs.items()}
        for parent in _parents(trained):
            seeds = [
                model_input[[f"{parent}.{seed}.{z}" for z in trained.columns[parent]]].to_numpy(np.float64)
                for seed in trained.members["seed"]
            ]
            blocks[parent] = np.stack(seeds)
        _, predicted = trained.apply(blocks, np.arange(len(trained.members)))
        found = {}
        for target, (means, stds) in predicted.items():
            found[f"{target}.mean"], found[f"{target}.std"] = ensemble(means, stds)
        return pd.DataFrame(found, index=model_input.index)


mlflow.models.set_model(ScaleModel())
