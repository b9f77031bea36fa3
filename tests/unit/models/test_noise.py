"""Random numbers of members."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from nestmat.models.noise import Noise, random_bits

MEMBERS, ROWS = 3, 40


def test_random_bits_depend_on_member_epoch_stream_and_place_alone():
    keys = torch.tensor([11, -7, 12345], dtype=torch.int32)
    bits = random_bits(keys, 3, 1, 5, 20)
    assert torch.equal(random_bits(keys[1:2], 3, 1, 5, 20)[0], bits[1])
    assert torch.equal(random_bits(keys, 3, 1, 5, 33)[..., :20], bits)
    for other in (random_bits(keys, 4, 1, 5, 20), random_bits(keys, 3, 2, 5, 20), bits.roll(1, 0)):
        assert (other == bits).float().mean() < 0.01


def test_random_bits_are_uniform():
    bits = random_bits(torch.arange(4, dtype=torch.int32), 1, 1, 50, 500).double()
    unit = (bits.flatten().numpy() + 2**31) / 2**32
    assert stats.kstest(unit, "uniform").pvalue > 1e-3
    neighbours = np.corrcoef(unit[:-1], unit[1:])[0, 1]
    assert abs(neighbours) < 0.02


def test_dropout_drops_its_share_and_keeps_the_mean():
    keys = torch.arange(MEMBERS, dtype=torch.int32)
    noise = Noise(keys, 1, 2000)
    dropped = noise.dropout(torch.ones(MEMBERS, 20, 2000), 0.1)
    assert (dropped == 0).float().mean().item() == pytest.approx(0.1, abs=0.005)
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.01)
    step = noise.at(slice(100, 110)).dropout(torch.ones(MEMBERS, 20, 10), 0.1)
    assert torch.equal(step, dropped[..., 100:110])
