"""Predictions along a chain of scales."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from nestmat import tables
from nestmat.errors import InputError
from nestmat.scales.chain import Chain, predict_chain
from nestmat.training.checkpoints import Trained
from support.class_scale import CLASSES


def test_prediction_along_the_chain_equals_training(chain):
    rows = tables.read(chain / "coarse.parquet")
    weights = {name: chain / f"{name}.safetensors" for name in ("fine", "middle", "coarse")}
    found = predict_chain(weights, dict.fromkeys(weights, rows))
    trained = tables.read(chain / "coarse.predictions.parquet", fold=-1, seed=-1)
    mean, std = found["coarse"].targets["coarse_y"]
    expected = trained.set_index("row_id").loc[rows["row_id"]]
    np.testing.assert_allclose(mean, expected["mean"], atol=1e-5)
    np.testing.assert_allclose(std, expected["std"], atol=1e-5)
    assert found["coarse"].units == {"coarse_y": "eV"}


def test_chain_without_the_parent_is_an_error(chain):
    rows = tables.read(chain / "coarse.parquet")
    with pytest.raises(InputError, match="latents of 'middle'"):
        predict_chain({"coarse": chain / "coarse.safetensors"}, {"coarse": rows})
    with pytest.raises(InputError, match=r"lack"):
        predict_chain({"fine": chain / "fine.safetensors"}, {"fine": rows.drop(columns="d1")})


def test_the_chain_is_differentiable_in_the_features(chain):
    weights = {name: chain / f"{name}.safetensors" for name in ("fine", "middle", "coarse")}
    function = Chain(weights)
    generator = torch.Generator().manual_seed(0)
    features = {
        name: torch.randn(6, len(columns), generator=generator, dtype=torch.float64)
        for name, columns in function.columns.items()
    }
    first = next(iter(features))
    given = features[first].requires_grad_(True)
    last = list(weights)[-1]
    [(mean, std)] = function(features)[last].targets.values()
    [slope] = torch.autograd.grad(mean.sum(), given, retain_graph=True)
    direction = torch.randn(given.shape, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        ends = [
            next(iter(function({**features, first: given + s * 1e-2 * direction})[last].targets.values()))[0]
            for s in (-1, 1)
        ]
    expected = (ends[1] - ends[0]).sum() / 2e-2
    assert (slope * direction).sum().item() == pytest.approx(expected.item(), rel=0.02, abs=1e-3)
    assert torch.isfinite(torch.autograd.grad(std.sum(), given)[0]).all()


def test_a_model_that_was_written_predicts_the_same_probabilities(class_scale, trained_class):
    model = Trained.load(trained_class / "s.safetensors")
    assert model.classes == {"phase": CLASSES}
    assert (model.scalers["phase"].mean == 0).all()
    assert (model.scalers["phase"].std == 1).all()
    features = tables.read(class_scale[0])
    again = predict_chain({"s": trained_class / "s.safetensors"}, {"s": features}, repeat=1, fold=0)["s"]
    mean = pd.Series(again.targets["phase"][0], features["row_id"])
    before = tables.read(trained_class / "s.predictions.parquet", seed=-1, inner=-1, fold=0, repeat=1)
    np.testing.assert_allclose(before["mean"], mean.loc[before["row_id"]], atol=1e-6)
