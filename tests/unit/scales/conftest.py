from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nestmat.models.specification import Head
from nestmat.scales.propagate import propagate_latents
from support.trained_scales import model, train, write_scale


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def chain(tmp_path_factory) -> Path:
    """Three scales: fine -> middle -> coarse, trained and propagated; the middle passes its prediction on."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("chain")
    write_scale(folder, "fine", 40, lambda d, k: 3 + d[:, 0] * d[:, 1])
    write_scale(folder, "middle", 30, lambda d, k: 5 + d[:, 0] + k, seed=1)
    write_scale(folder, "coarse", 24, lambda d, k: d[:, 2] - k, seed=2)
    train(folder, "fine", model("fine_y", "layer"), stacked=True)
    propagate_latents(folder / "fine.safetensors", folder / "middle.parquet", folder / "fine__middle.parquet")
    propagate_latents(folder / "fine.safetensors", folder / "coarse.parquet", folder / "fine__coarse.parquet")
    nested = model("middle_y", "fine", heads={"fine": Head()}, seeds=3)
    train(folder, "middle", nested, parents={"fine": folder / "fine__middle.parquet"}, stacked=True)
    propagate_latents(
        folder / "middle.safetensors",
        folder / "coarse.parquet",
        folder / "middle__coarse.parquet",
        parents={"fine": folder / "fine__coarse.parquet"},
        pass_prediction=True,
    )
    nested = model("coarse_y", "middle", batch_size=5, epochs=5)
    train(folder, "coarse", nested, parents={"middle": folder / "middle__coarse.parquet"})
    return folder
