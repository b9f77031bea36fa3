"""Search with a conditional variational autoencoder."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch

from nestmat.errors import InputError
from nestmat.search.generators.conditional_vae import ConditionalVAE
from nestmat.search.methods.random_search import RandomSearch
from nestmat.search.methods.vae import VAE
from nestmat.search.problem import Constraint, Problem, Target
from nestmat.search.spaces.alloys import Alloy
from nestmat.search.spaces.box import Box
from nestmat.search.spaces.factors import Interval
from nestmat.search.spaces.pool import Pool
from nestmat.search.spaces.simplex import Simplex
from support.perovskite_search import conditions, mixed_space


def rare(target):
    """A wanted range that one material in a hundred meets."""

    def predict(x):
        y = torch.from_numpy(conditions(x.numpy()))
        nothing = torch.full((len(x),), torch.nan, dtype=torch.float64)
        return {"a": (y[:, 0], nothing), "below": (y[:, 0] - 5, nothing), "b": (y[:, 1], nothing)}

    return Problem(mixed_space(), predict, [target], [Constraint("b", low=1.2, tolerance=0.1)])


RANGE = Target("a", "range", 2.4, 2.6, tolerance=0.1)


@pytest.mark.parametrize(
    ("target", "low", "high"),
    [
        (RANGE, 2.4, 2.6),
        (Target("below", "value", -2.5), -2.5, -2.5),
        (Target("a", "maximise"), 2.5, np.inf),
        (Target("below", "minimise"), -np.inf, -3.5),
    ],
    ids=["range", "value", "maximise", "minimise"],
)
def test_conditions_meet_targets_and_constraints(target, low, high, monkeypatch):
    asked = []
    sample = ConditionalVAE.sample

    def recorded(network, y, n):
        asked.append(y)
        return sample(network, y, n)

    monkeypatch.setattr(ConditionalVAE, "sample", recorded)
    VAE(steps=10, rounds=2).propose(rare(target), budget=1000, seed=0)
    [unconditional] = [k for k, y in enumerate(asked) if y is None]
    assert unconditional == 1
    y = np.concatenate([y for y in asked if y is not None])
    assert (y[:, 0] >= low).all()
    assert (y[:, 0] <= high).all()
    assert (y[:, 1] >= 1.2).all()
    assert y[:, 1].std() > 0


def test_conditions_raise_the_hit_rate_above_uniform():
    problem = rare(RANGE)
    method = VAE(keep=100, steps=400, rounds=3)
    found = method.propose(problem, budget=2000, seed=0)
    assert found.evaluations <= 2000
    assert json.loads(json.dumps(found.details)) == found.details
    rates = found.details["hit_rate"]
    assert rates["conditional"] > 3 * max(rates["uniform"], rates["prior"])
    assert len(found.details["rounds"]) == 3
    assert 0 < found.details["unique"]["conditional"] <= 1
    drawn = RandomSearch(keep=100).propose(problem, budget=2000, seed=0)
    assert found.table["hit"].sum() > 1.5 * drawn.table["hit"].sum()


def test_a_vae_searches_alloys_and_boxes():
    def predict(x):
        value = (x * torch.arange(1.0, 5.0)).sum(dim=1)
        return {"q": (value, torch.zeros_like(value))}

    elements = Simplex(["a", "b", "c", "d"], 8, most=3)
    box = Box([Interval(name, 0.0, 1.0, 9) for name in "abcd"], [{"a": "b", "b": "a"}])
    for space in (Alloy(elements), box):
        problem = Problem(space, predict, [Target("q", "value", 2.5, tolerance=0.05)])
        found = VAE(keep=20, steps=100, rounds=2).propose(problem, budget=300, seed=0)
        np.testing.assert_array_equal(space.canonical(found.x), found.x)
        assert found.evaluations <= 300
        assert found.table["distance"].iloc[0] < 2


def test_what_a_vae_cannot_learn_is_refused():
    problem = rare(RANGE)
    with pytest.raises(InputError, match="too small"):
        VAE().propose(problem, budget=99, seed=0)
    assert VAE(steps=20).propose(problem, budget=100, seed=0).evaluations <= 100
    with pytest.raises(InputError, match="no parts of one budget"):
        VAE(share=0.9)
    undefined = Problem(
        problem.space,
        problem.predict,
        [Target("a", "maximise")],
        [Constraint("b", low=0, of="std")],
    )
    with pytest.raises(InputError, match="Only 0 of"):
        VAE().propose(undefined, budget=200, seed=0)
    pool = Pool(
        pd.DataFrame(problem.space.sample(50, 0), columns=list(problem.space.columns)).drop_duplicates(),
        ["x"] * 50,
    )
    with pytest.raises(InputError, match="learns the factors"):
        VAE().propose(Problem(pool, problem.predict, problem.targets), budget=200, seed=0)
