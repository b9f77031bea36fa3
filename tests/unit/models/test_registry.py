"""A scale model from a plug-in file is configured, trained, applied and propagated like any other."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel, ValidationError

from nestmat import tables
from nestmat.config.networks import SpecificationPart
from nestmat.errors import InputError
from nestmat.models.keys import ModelKey
from nestmat.models.registry import NETWORKS
from nestmat.models.specification import specification_from
from nestmat.plugins import load_plugins
from nestmat.scales.chain import predict_chain
from nestmat.scales.propagate import propagate_latents
from nestmat.scales.train import TrainingJob, train_scale
from nestmat.training.checkpoints import Trained
from support.trained_scales import outputs, write_scale

PLUGIN = Path(__file__).parent / "principal_components.py"
OPTIONS = {
    "kind": "principal_components",
    "inputs": ["descriptors"],
    "encoder": {"latents": 3},
    "heads": {"fine_y": {}, "descriptors": {}},
    "target_weight": 2.0,
    "training": {"epochs": 300, "learning_rate": 0.02, "seeds": 2},
}


class Part(BaseModel):
    specification: SpecificationPart


@pytest.fixture
def plugin(monkeypatch):
    """The plug-in file, forgotten after the test."""
    for kind in NETWORKS:
        assert NETWORKS[kind]
    monkeypatch.setattr(NETWORKS, "_entries", dict(NETWORKS._entries))
    monkeypatch.setattr(NETWORKS, "_files", dict(NETWORKS._files))
    load_plugins([PLUGIN])
    yield NETWORKS["principal_components"]
    del sys.modules[f"nestmat_plugin_{PLUGIN.stem}"]


def test_a_plugin_is_short():
    assert len(PLUGIN.read_text().splitlines()) <= 80


def test_a_scale_model_of_a_plugin_is_trained_and_applied(plugin, tmp_path):
    write_scale(tmp_path, "fine", 40, lambda d, k: 3 + 2 * d[:, 0] - d[:, 1])
    files = outputs(tmp_path, "fine")
    specification = Part(specification=OPTIONS).specification
    assert (specification.kind, specification.target_weight) == ("principal_components", 2.0)
    train_scale(
        TrainingJob(
            key=ModelKey("fine", "strict", "pca"),
            specification=specification,
            features=tmp_path / "fine.parquet",
            folds=tmp_path / "fine.folds.parquet",
            **files,
        )
    )
    held_out = tables.read(files["predictions"], split="validation", seed=-1)
    assert (held_out["mean"] - held_out["true"]).abs().max() < 0.2
    assert Trained.load(files["weights"]).specification == specification
    rows = tables.read(tmp_path / "fine.parquet")
    prediction = predict_chain({"fine": files["weights"]}, {"fine": rows})["fine"]
    np.testing.assert_allclose(prediction.targets["fine_y"][0], rows["fine_y"], atol=0.2)
    propagate_latents(files["weights"], tmp_path / "fine.parquet", tmp_path / "latents.parquet")
    latents = tables.read(tmp_path / "latents.parquet", fold=-1, inner=-1)
    np.testing.assert_allclose(latents[["z0", "z1", "z2"]], prediction.latents.reshape(-1, 3), atol=1e-6)


def test_options_of_a_plugin_are_checked_and_described(plugin):
    content = Part(specification=OPTIONS).model_dump(mode="json")["specification"]
    assert specification_from(content) == Part(specification=OPTIONS).specification
    with pytest.raises(ValidationError, match="target_weight"):
        Part(specification={**OPTIONS, "target_weight": -1})
    with pytest.raises(ValidationError, match="atoms"):
        Part(specification={**OPTIONS, "atoms": 100})
    assert "Weight of the squared error of the targets." in json.dumps(Part.model_json_schema())


def test_an_unknown_kind_and_an_unknown_option_are_named():
    with pytest.raises(ValidationError, match="no scale model 'principal_components'; choose one of"):
        Part(specification=OPTIONS)
    with pytest.raises(InputError, match="There is no scale model 'principal_components'"):
        specification_from(OPTIONS)
    with pytest.raises(InputError, match="The scale model 'autoencoder' has no option 'target_weight'"):
        specification_from({**OPTIONS, "kind": "autoencoder"})
