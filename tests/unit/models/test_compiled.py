"""Products of linear layers, and networks of any kind as they predict many rows."""

from __future__ import annotations

import torch

from nestmat.models.autoencoder.network import Autoencoder
from nestmat.models.compiled import InputMap, PlainNetwork, compose
from nestmat.models.layers import AffineLayer
from support.autoencoders import SHAPES, model


def layers(*activations):
    widths = (4, 6, 3, 5)
    return [
        AffineLayer(torch.randn(2, end, 1 + start, dtype=torch.float64), activation)
        for start, end, activation in zip(widths, widths[1:], activations, strict=False)
    ]


def test_linear_layers_in_a_row_are_one_matrix():
    torch.manual_seed(0)
    chain, x = layers("identity", "identity", "tanh"), torch.randn(2, 4, 9, dtype=torch.float64)
    [product] = compose(chain)
    y = x
    for weight, _ in chain:
        y = weight[:, :, :1] + weight[:, :, 1:] @ y
    torch.testing.assert_close(product.weight[:, :, :1] + product.weight[:, :, 1:] @ x, y)
    assert product.activation == "tanh"
    assert [layer.activation for layer in compose(layers("relu", "identity", "tanh"))] == ["relu", "tanh"]


def test_a_plain_network_reads_scaled_rows_and_latents():
    torch.manual_seed(0)
    network = Autoencoder(model(), SHAPES, [1, 2])
    features, latents = torch.randn(5, 9), torch.randn(3, 2, 9)
    mean, std = torch.randn(2, 7, 1), 1 + torch.rand(2, 7, 1)
    own = torch.cat([-mean / std, (torch.eye(7, 5) / std)], dim=2)
    read = InputMap(own.double(), [(torch.eye(7)[:, 5:] / std).double()], [[2, 0]])
    z, predicted = PlainNetwork(network, read)(torch.cat([torch.ones(1, 9), features]), [latents])
    rows = torch.cat([features.expand(2, -1, -1), latents[[2, 0]]], dim=1)
    expected, _ = network.encode(((rows - mean) / std).transpose(1, 2))
    torch.testing.assert_close(z.transpose(1, 2), expected)
    torch.testing.assert_close(predicted["gap"][0], network.predict(expected)["gap"][0])
