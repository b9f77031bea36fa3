"""Quantities that follow from a material or from predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from nestmat.materials.perovskites import PROBABILITY_MIDDLE, PROBABILITY_WIDTH
from nestmat.search.quantities import Distance, interpolated, logistic, weighted
from nestmat.search.spaces.product import Product
from nestmat.search.spaces.simplex import Simplex


def test_distance_to_known_compositions_counts_what_the_space_lacks():
    space = Product([Simplex(["Ge", "Sn"], 4, site="B"), Simplex(["Br", "I"], 4, site="X")])
    known = {"B:Ge": [0.0, 0.0], "B:Sn": [1.0, 0.0], "X:Br": [0.0, 0.0], "X:I": [1.0, 1.0]}
    distance = Distance(space, {name: np.array(values) for name, values in known.items()})
    x = torch.tensor([[0.0, 1.0, 0.0, 1.0], [0.5, 0.5, 0.0, 1.0], [1.0, 0.0, 1.0, 0.0]], dtype=torch.float64)
    found, _ = distance(x)
    # Half of one of two sites; all of both. Of the second known one, nothing of site B is in the space.
    torch.testing.assert_close(found, torch.tensor([0.0, 0.25, 1.0], dtype=torch.float64))
    # Rows of one composition are computed once, unless each needs a gradient of its own.
    repeated = x.repeat_interleave(3, dim=0)
    torch.testing.assert_close(distance(repeated)[0], found.repeat_interleave(3))
    [slope] = torch.autograd.grad(distance(repeated.requires_grad_(True))[0].sum(), repeated)
    torch.testing.assert_close(slope[3:6], slope[3].expand(3, -1))


def test_further_quantities_follow_from_those_before():
    x = torch.tensor([[0.25, 0.75]], dtype=torch.float64)
    assert weighted([4.0, 8.0])(x, {})[0].item() == 7.0
    gap = (torch.tensor([1.25, 9.0]), torch.tensor([0.1, 0.1]))
    line = interpolated("gap", np.array([1.0, 1.5, 2.0]), np.array([10.0, 20.0, 0.0]))
    mean, std = line(x, {"gap": gap})
    torch.testing.assert_close(mean, torch.tensor([15.0, 0.0]))
    torch.testing.assert_close(std[0], torch.tensor(2.0))
    chance, _ = logistic("tau", 4.0, 0.5)(x, {"tau": (torch.tensor([4.0, 4.5, torch.nan]), gap[1])})
    torch.testing.assert_close(chance, torch.tensor([0.5, 1 / (1 + np.e), 0.0]))


def test_the_probability_of_a_perovskite_is_the_published_one(mirror: Path):
    table = pd.read_csv(mirror / "bartel/TableS1.csv").dropna(subset="tau")
    tau = torch.tensor(table["tau"].to_numpy())
    found, _ = logistic("tau", PROBABILITY_MIDDLE, PROBABILITY_WIDTH)(tau, {"tau": (tau, tau)})
    assert len(table) > 500
    np.testing.assert_allclose(found.numpy(), table["tau_prob"], atol=0.03)
