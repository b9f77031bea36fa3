"""A network that stands for a predictor in a design space."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nestmat.errors import InputError
from nestmat.search.distilled import DistilledPredictor, distil
from support.box_materials import SPACE


def features(x):
    """The numbers of a material, and one that is the same for all."""
    return torch.cat([x, torch.ones_like(x[:, :1])], dim=1)


def predictor(x):
    """A smooth quantity with a standard deviation that grows with it, and a class without one."""
    mean = np.sin(3 * x[:, 0]) + x[:, 1] ** 2
    return {
        "scale.gap": (mean, 0.01 * np.exp(x[:, 0])),
        "scale.stable": (x[:, 0], np.full(len(x), np.nan)),
    }


@pytest.fixture(scope="module")
def student():
    """A network, and materials that it did not learn from."""
    x = SPACE.sample(1500, seed=0)
    return distil(x, predictor(x), features), SPACE.sample(500, seed=1)


def test_means_and_spreads_are_those_of_the_predictor(student):
    network, x = student
    with torch.no_grad():
        predicted = network(torch.from_numpy(x))
    true = predictor(x)
    assert np.abs(predicted["scale.gap"][0].numpy() - true["scale.gap"][0]).mean() < 0.1
    assert np.abs(predicted["scale.gap"][1].numpy() / true["scale.gap"][1] - 1).mean() < 0.05
    assert torch.isnan(predicted["scale.stable"][1]).all()


def test_its_fidelity_is_that_on_materials_that_were_held_out(student):
    network, x = student
    fidelity = network.fidelity["scale.gap"]
    assert fidelity.r2 > 0.99
    with torch.no_grad():
        mean = network(torch.from_numpy(x))["scale.gap"][0].numpy()
    error = np.abs(mean - predictor(x)["scale.gap"][0]).mean()
    assert 0.3 * fidelity.error < error < 3 * fidelity.error
    assert np.isnan(network.fidelity["scale.stable"].std)


def test_it_has_the_gradient_of_what_it_stands_for(student):
    network, x = student
    materials = torch.from_numpy(x).requires_grad_()
    (gradient,) = torch.autograd.grad(network(materials)["scale.gap"][0].sum(), materials)
    slope = np.stack([3 * np.cos(3 * x[:, 0]), 2 * x[:, 1], np.zeros(len(x))], axis=1)
    assert np.abs(gradient.numpy() - slope).mean() < 0.5


def test_it_is_read_as_it_was_written(student, tmp_path):
    network, x = student
    network.save(tmp_path / "student.safetensors")
    read = DistilledPredictor.load(tmp_path / "student.safetensors", features)
    materials = torch.from_numpy(x)
    assert torch.equal(read(materials)["scale.gap"][0], network(materials)["scale.gap"][0])
    assert read.quantities == network.quantities
    assert read.fidelity["scale.gap"] == network.fidelity["scale.gap"]


def test_it_does_not_depend_on_units():
    x = SPACE.sample(800, seed=0)
    mean, std = predictor(x)["scale.gap"]
    small = distil(x * 1e-12, {"scale.gap": (mean * 1e-12, std * 1e-12)}, features)
    usual = distil(x, {"scale.gap": (mean, std)}, features)
    for name in ("r2", "std_error"):
        in_small_units = getattr(small.fidelity["scale.gap"], name)
        assert in_small_units == pytest.approx(getattr(usual.fidelity["scale.gap"], name), abs=0.02)
    with torch.no_grad():
        spread = small(torch.from_numpy(x[:50] * 1e-12))["scale.gap"][1].numpy()
    assert np.abs(spread / (std[:50] * 1e-12) - 1).mean() < 0.1


def test_a_material_without_a_prediction_is_an_error():
    x = SPACE.sample(50, seed=0)
    predicted = {"scale.gap": (np.where(x[:, 0] > 0.5, np.nan, x[:, 0]), x[:, 0])}
    with pytest.raises(InputError, match="states no number"):
        distil(x, predicted, features)
