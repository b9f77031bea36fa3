"""Generators that learn a density."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nestmat.errors import InputError
from nestmat.search.generators.flow import FlowOptions
from nestmat.search.generators.invertible import InvertibleOptions
from nestmat.search.generators.mixture_density import MixtureDensityOptions
from nestmat.search.generators.network import Condition
from nestmat.search.generators.variational import VariationalOptions
from nestmat.search.spaces.alloys import Alloy
from nestmat.search.spaces.simplex import Simplex
from support.box_materials import CPU, SPACE, quantity, rows

SMALL = {"width": 32, "steps": 200, "batch": 128}
NETWORKS = {
    "flow": FlowOptions(**SMALL),
    "invertible": InvertibleOptions(**SMALL, blocks=4),
    "mixture_density": MixtureDensityOptions(**SMALL),
    "conditional_vae": VariationalOptions(steps=600, latents=3),
}


def test_a_value_that_many_rows_share_has_an_indicator():
    condition = Condition(indicators=True)
    condition.fit(np.array([0.0] * 50 + list(np.linspace(1, 2, 50))))
    told = condition(torch.tensor([0.0, 1e-6, 1.5], dtype=torch.float64))
    assert told[:, 1].tolist() == [1, 0, 0]
    condition.fit(np.linspace(0, 1, 100))
    assert condition(torch.zeros(1, dtype=torch.float64))[0, 1] == 0


@pytest.mark.parametrize("kind", NETWORKS)
def test_samples_have_the_requested_value_within_the_space(kind):
    torch.set_num_threads(1)
    x, y = rows()
    model = NETWORKS[kind].build(SPACE, 0)
    curve = model.fit(x, y, CPU)
    train = curve.loc[curve["split"] == "train", "loss"]
    assert train.iloc[-5:].mean() < train.iloc[:5].mean()
    for value in (0.5, 1.5):
        made = model.sample(value, 400, seed=1)
        assert np.array_equal(SPACE.canonical(made), made)
        # Uniform materials are 0.6 away on average.
        assert np.abs(quantity(made) - value).mean() < 0.3
        assert not np.array_equal(made, model.sample(value, 400, seed=2))
        assert np.array_equal(made, model.sample(value, 400, seed=1))


def test_only_raw_coordinates_leave_the_space():
    x, y = rows(300)
    told = {"steps": 30, "batch": 64, "width": 16}
    raw = FlowOptions(**told, coordinates="raw").build(SPACE, 0)
    raw.fit(x, y, CPU)
    made = raw.sample(1.0, 500, 0)
    assert (np.abs(SPACE.canonical(made) - made) > 1e-6).any()
    bounded = FlowOptions(**told).build(SPACE, 0)
    bounded.fit(x, y, CPU)
    made = bounded.sample(1.0, 500, 0)
    assert np.array_equal(SPACE.canonical(made), made)


def test_a_flow_refuses_a_space_of_shares():
    with pytest.raises(InputError, match="needs a space of numbers in intervals"):
        FlowOptions().build(Alloy(Simplex(["Fe", "Ni"], 4)), 0)


def test_a_training_that_diverges_is_refused():
    x, y = rows(200)
    model = FlowOptions("affine", steps=60, rate=1e18, width=8, batch=32).build(SPACE, 0)
    with pytest.raises(InputError, match="diverged"):
        model.fit(x, y, CPU)
