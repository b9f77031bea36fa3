"""Materials of three numbers with a known quantity, for tests of generators."""

from __future__ import annotations

import torch

from nestmat.search.spaces.box import Box
from nestmat.search.spaces.factors import Interval

CPU = torch.device("cpu")
SPACE = Box([Interval("a", 0.0, 1.0), Interval("b", 2.0, 4.0), Interval("idle", -1.0, 1.0)], [])


def quantity(x):
    """What is asked for: 0 in a corner of the box, else up to 2."""
    return (2 * x[:, 0] + (x[:, 1] - 2) - 1).clip(0)


def rows(n=1500):
    x = SPACE.sample(n, 0)
    return x, quantity(x)
