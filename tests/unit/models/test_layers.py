"""Perceptrons of members against modules of torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from nestmat.models.autoencoder.network import Autoencoder
from nestmat.models.layers import ACTIVATIONS, Layout, Output, Perceptrons
from support.autoencoders import SHAPES, model

MEMBERS, ROWS = 3, 40


@pytest.mark.parametrize(
    ("hidden", "activation"), [((), "relu"), ((7,), "relu"), ((7, 5), "tanh"), ((7, 5), "identity")]
)
@pytest.mark.parametrize("names", [("a",), ("a", "b", "c")])
def test_perceptrons_equal_torch_modules(hidden, activation, names):
    layout = Layout()
    outputs = {name: Output(width, "tanh") for name, width in zip(names, (1, 2, 3), strict=False)}
    tested = Perceptrons(layout, "p", 4, hidden, outputs, activation)
    flat = layout.initial(range(MEMBERS))
    flat += 0.1 * torch.randn_like(flat)  # so that no bias is zero
    weights = layout.views(flat)
    x = torch.randn(MEMBERS, 4, ROWS)
    found = tested(x, weights, None)
    for member in range(MEMBERS):
        start = 0
        for name, output in outputs.items():
            width = hidden[0] if hidden else output.width
            linear = [(weights["p.0.weight"][member][start : start + width], weights["p.0.bias"][member])]
            linear[0] = (linear[0][0], linear[0][1][start : start + width, 0])
            start += width
            for depth in range(1, len(hidden) + 1):
                key = f"p.{depth}.{name}"
                linear.append((weights[f"{key}.weight"][member], weights[f"{key}.bias"][member][:, 0]))
            y = x[member].T
            for depth, (weight, bias) in enumerate(linear):
                y = functional.linear(y, weight, bias)
                y = ACTIVATIONS[activation](y) if depth < len(hidden) else torch.tanh(y)
            torch.testing.assert_close(found[name][member].T, y, rtol=1e-5, atol=1e-6)


def test_initial_weights_are_xavier_of_each_head_and_belong_to_the_member():
    layout = Layout()
    Perceptrons(layout, "p", 200, (), {"a": Output(300, gain=2.0), "b": Output(100)})
    flat = layout.initial([5, 6])
    weight = layout.views(flat)["p.0.weight"]
    assert weight[:, :300].std().item() == pytest.approx(2.0 * np.sqrt(2 / 500), rel=0.02)
    assert weight[:, 300:].std().item() == pytest.approx(np.sqrt(2 / 300), rel=0.02)
    assert (layout.views(flat)["p.0.bias"] == 0).all()
    assert torch.equal(layout.initial([6])[0], flat[1])
    assert not torch.equal(flat[0], flat[1])


def test_views_share_the_buffer_and_gather_undoes_them():
    network = Autoencoder(model(), SHAPES, [1, 2])
    views = network.weights
    assert torch.equal(network.layout.gather(views), network.flat)
    network.flat[:] = 0
    assert all((view == 0).all() for view in views.values())


def test_atanh_stays_finite_outside_its_interval():
    assert torch.isfinite(ACTIVATIONS["atanh"](torch.tensor([-3.0, -1.0, 0.5, 1.0, 3.0]))).all()
