"""Piecewise-linear encoding of inputs."""

from __future__ import annotations

import numpy as np
import torch

from nestmat.models.layers import ACTIVATIONS
from nestmat.models.pieces import LIMIT, Pieces, bound, piece_edges


def test_pieces_of_an_input_are_linear_between_their_edges():
    pieces, edges = Pieces([4]), np.array(piece_edges(4))
    x = torch.linspace(-8, 8, 161, dtype=torch.float64)
    encoded = pieces(x[None, None])[0].numpy()
    bounded = (x / (1 + x**2 / LIMIT**2).sqrt()).numpy()
    for k, numbers in enumerate(encoded):
        passed = np.interp(bounded, edges[k : k + 2], [0, 1])
        low, high = numbers[0], numbers[-1]
        full = np.interp(bounded[[0, -1]], edges[k : k + 2], [0, 1])
        np.testing.assert_allclose(
            (numbers - low) / (high - low), (passed - full[0]) / (full[1] - full[0]), atol=1e-9
        )


def test_pieces_of_a_normal_variable_are_standardised():
    x = torch.special.ndtri((torch.arange(10_000, dtype=torch.float64) + 0.5) / 10_000)
    encoded = Pieces([5])(x[None, None])[0]
    np.testing.assert_allclose(encoded.mean(dim=1), 0, atol=1e-3)
    np.testing.assert_allclose(encoded.std(dim=1), 1, atol=1e-3)


def test_one_piece_is_the_bounded_input():
    x = torch.randn(2, 3, 7, dtype=torch.float64) * 5
    torch.testing.assert_close(Pieces([1, 1, 1])(x), bound(x))
    mixed = Pieces([3, 1, 2])
    assert (mixed.width, mixed.source.tolist()) == (6, [0, 0, 0, 1, 2, 2])
    torch.testing.assert_close(mixed(x)[:, 3], bound(x)[:, 1])


def test_the_encoding_is_three_layers():
    pieces, x = Pieces([3, 1, 4]), torch.randn(2, 3, 9, dtype=torch.float64) * 3
    y = x
    for matrix, activation in zip(pieces.matrices(2), ("bound", "unit", "identity"), strict=True):
        y = ACTIVATIONS[activation](matrix[:, :, :1] + matrix[:, :, 1:] @ y)
    torch.testing.assert_close(pieces(x), y)


def test_an_encoding_has_slopes_everywhere_but_far_outside():
    x = torch.linspace(-2.5, 2.5, 51, dtype=torch.float64).requires_grad_()
    (slope,) = torch.autograd.grad(Pieces([4])(x[None, None]).sum(), x)
    assert (slope > 0).all()
