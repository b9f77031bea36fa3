"""Trained members in files."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from nestmat import seals
from nestmat.errors import InputError
from nestmat.models.keys import ModelKey
from nestmat.models.specification import Head, Specification, Training, specification_from
from nestmat.training.checkpoints import Trained
from nestmat.training.chunks import train_members
from nestmat.training.scale_data import ScaleData
from support.member_rows import ROWS, members, model, scale


def trained(data: ScaleData, specification: Specification) -> Trained:
    found = members(data)
    flat, scalers, _ = train_members(specification, data, found)
    return Trained.of(data, found, flat, scalers, specification, ModelKey("fine", "strict", "nae"))


def test_checkpoint_round_trip(tmp_path):
    data = scale()
    heads = {"gap": Head(hidden=(4,), loss="gaussian_nll"), "A": Head(loss="cross_entropy")}
    before = trained(data, model(Training(epochs=5), heads=heads, penalties={"l1": 0.1}))
    before.save(tmp_path / "m.safetensors", tmp_path / "m.json")
    after = Trained.load(tmp_path / "m.safetensors")
    assert after.specification == before.specification
    assert after.units["gap"] == "eV"
    assert after.facts["threads"] == 1
    assert torch.equal(after.flat, before.flat)
    pd.testing.assert_frame_equal(after.members, before.members)
    index = np.array([3, 0])
    for first, second in zip(before.apply(data.x, index), after.apply(data.x, index), strict=True):
        np.testing.assert_equal(first, second)
    z, predicted = after.apply(data.x, index)
    assert z.shape == (2, ROWS, 2)
    assert predicted["gap"][1].min() > 0


def test_predictions_are_in_the_units_of_the_target():
    data = scale()
    shifted = replace(data, y={"gap": 1000 * data.y["gap"] + 5000})
    specification = model(Training(epochs=150, learning_rate=0.02))
    _, small = trained(data, specification).apply(data.x, np.array([0]))
    _, large = trained(shifted, specification).apply(data.x, np.array([0]))
    np.testing.assert_allclose(large["gap"][0], 1000 * small["gap"][0] + 5000, rtol=0.01)
    assert np.abs(small["gap"][0] - data.y["gap"]).mean() < 0.5 * data.y["gap"].std()


@pytest.mark.parametrize("damage", ["missing", "text", "card", "tensor"])
def test_damaged_checkpoints_are_named(tmp_path, damage):
    data, file, card = scale(), tmp_path / "m.safetensors", tmp_path / "m.json"
    whole = trained(data, model(Training(epochs=1)))
    whole.save(file, card)
    if damage == "missing":
        file.unlink()
    elif damage == "text":
        file.write_text("not weights")
    elif damage == "card":
        card.write_text(card.read_text()[:100])
    else:
        content = seals.read_json(card)
        content["specification"]["encoder"]["hidden"] = [6, 6]
        seals.write_json(card, content)
    with pytest.raises(InputError, match=r"m\.json" if damage == "card" else r"m\.safetensors"):
        Trained.load(file)


def test_specification_survives_json():

    specification = model(Training(batch_size=3), penalties={"l2": 0.5}, parent_model="other")
    assert specification_from(json.loads(json.dumps(specification.as_dict()))) == specification


@pytest.mark.parametrize("loss", ["mae", "mse", "huber", "gaussian_nll"])
def test_a_floor_is_kept_in_value_and_left_by_the_slope(loss):
    data = scale()
    floor = float(np.quantile(data.y["gap"], 0.6))
    latent, data = data.y["gap"], replace(data, y={"gap": data.y["gap"].clip(floor)})
    parts = members(data)
    specification = model(
        Training(epochs=150, learning_rate=0.02),
        heads={"gap": Head(hidden=(8,), loss=loss, floor=floor)},
    )
    flat, scalers, _ = train_members(specification, data, parts, device="cpu")
    done = Trained.of(data, parts, flat, scalers, specification, ModelKey("s", "p", "m"))
    blocks = {name: torch.from_numpy(data.x[name]).requires_grad_(True) for name in specification.inputs}
    predicted = done.forward(blocks, np.arange(len(parts)))[1]["gap"][0]
    assert predicted.min().item() == floor
    below = (predicted == floor).all(dim=0)
    assert below.float().mean() > 0.2
    [slope] = torch.autograd.grad(predicted[:, below].sum(), blocks["descriptors"])
    assert (slope[below].abs().sum(dim=1) > 0).all()
    error = np.abs(predicted.detach().numpy().mean(axis=0) - data.y["gap"])
    assert error.mean() < 0.5 * np.abs(data.y["gap"] - data.y["gap"].mean()).mean()
    assert (latent[below.numpy()] <= floor).mean() > 0.7
