"""Invertible networks with latents."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from nestmat.models.density_settings import InvertibleSettings
from nestmat.models.invertible import BACKWARD_KERNELS, Invertible, discrepancy


def test_the_discrepancy_is_the_mean_of_kernels():
    a, b = torch.randn(5, 2, dtype=torch.float64), torch.randn(7, 2, dtype=torch.float64) + 1

    def kernel(x, y):
        square = float((x - y).square().sum())
        return sum((c * e / (c + square)) ** e for c, e in BACKWARD_KERNELS)

    def mean(left, right):
        return np.mean([kernel(x, y) for x, y in itertools.product(left, right)])

    expected = mean(a, a) + mean(b, b) - 2 * mean(a, b)
    assert float(discrepancy(a, b, BACKWARD_KERNELS)) == pytest.approx(expected)
    assert float(discrepancy(a, a, BACKWARD_KERNELS)) == pytest.approx(0, abs=1e-12)


def test_an_invertible_network_inverts_its_output():
    network = Invertible(3, 1, InvertibleSettings(width=16), seed=0)
    x = torch.randn(20, 3)
    made = network.flow().transform(x)
    assert torch.allclose(network.flow().transform.inv(made), x, atol=1e-5)
