"""Compiled autoencoders against the networks that they are made of."""

from __future__ import annotations

from typing import get_args

import pytest
import torch

from nestmat.models.autoencoder.network import Autoencoder
from nestmat.models.compiled import ROWS, InputMap, PlainNetwork
from nestmat.models.specification import Activation, Encoder, Head, Shapes
from support.autoencoders import SHAPES, model

MEMBERS = 3
OUTPUTS = {
    "one": {"gap": Head(hidden=(5,))},
    "side by side": {"gap": Head(hidden=(5, 4)), "energy": Head(hidden=(5, 4), output_activation="softplus")},
    "spread": {"gap": Head(hidden=(5,), loss="gaussian_nll"), "energy": Head(activation="gelu", hidden=(3,))},
    "linear": {"gap": Head(), "energy": Head(hidden=(6,), activation="identity")},
    "decoder": {"descriptors": Head(hidden=(5,))},
}


def inputs(features: int, *parents: int) -> InputMap:
    """Random scales of features that are shared, and of latents of parents, whose members come in reverse."""
    width = features + sum(parents)
    return InputMap(
        torch.randn(MEMBERS, width, 1 + features, dtype=torch.float64),
        [torch.randn(MEMBERS, width, latents, dtype=torch.float64) for latents in parents],
        [list(range(MEMBERS))[::-1] for _ in parents],
    )


def check_agreement(specification, shapes: Shapes, rows: int, *parents: int) -> None:
    """Check a compiled network against `PlainNetwork`, with biases other than zero."""
    torch.manual_seed(0)
    network = Autoencoder(specification, shapes, list(range(MEMBERS)))
    network.flat += 0.1 * torch.randn_like(network.flat)
    width = sum(shapes.blocks[name] for name in specification.inputs)
    read = inputs(width - sum(parents), *parents)
    shared = torch.cat([torch.ones(1, rows), torch.randn(width - sum(parents), rows)])
    latents = [torch.randn(MEMBERS, parent, rows) for parent in parents]
    expected = PlainNetwork(network, read)(shared, latents)
    z, predicted = specification.compile(shapes, network.flat, read)(shared, latents)
    torch.testing.assert_close(z, expected[0], rtol=2e-5, atol=2e-5)
    assert predicted.keys() == expected[1].keys()
    for name, pair in predicted.items():
        torch.testing.assert_close(pair, expected[1][name], rtol=2e-5, atol=2e-5, equal_nan=True)


@pytest.mark.parametrize("activation", get_args(Activation))
@pytest.mark.parametrize("hidden", [(), (6,), (7, 5)])
def test_encoders_of_all_activations_agree(activation, hidden):
    latent_activation = "identity" if activation == "tanh" else "tanh"
    encoder = Encoder(
        latents=2, hidden=hidden, activation=activation, latent_activation=latent_activation, bias_range=1.0
    )
    check_agreement(model(encoder=encoder), SHAPES, 50)


@pytest.mark.parametrize("heads", OUTPUTS.values(), ids=OUTPUTS)
def test_heads_of_all_sorts_agree(heads):
    check_agreement(model(heads=heads, initialisation="lecun"), SHAPES, 50)


def test_classes_are_probabilities():
    shapes = Shapes(SHAPES.blocks, SHAPES.kinds, ["phase"], {"phase": ["no", "yes"]})
    check_agreement(model(heads={"phase": Head(hidden=(4,), loss="binary_cross_entropy")}), shapes, 50)


@pytest.mark.parametrize("hidden", [(), (6, 5)])
def test_encodings_in_pieces_agree(hidden):
    encoder = Encoder(latents=2, hidden=hidden, pieces=4)
    check_agreement(model(encoder=encoder), SHAPES, 50)
    check_agreement(model(encoder=encoder), SHAPES, ROWS + 1, 3)


@pytest.mark.parametrize("rows", [1, ROWS, ROWS + 1, 2 * ROWS + 77])
def test_any_number_of_rows_agrees(rows):
    check_agreement(model(), SHAPES, rows)


@pytest.mark.parametrize("parents", [(3,), (3, 4), (7,)])
def test_latents_of_parents_are_read_member_by_member(parents):
    check_agreement(model(encoder=Encoder(latents=2, hidden=(6, 5))), SHAPES, 50, *parents)
