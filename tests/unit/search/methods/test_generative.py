"""Samples of a generator: filters and localisation."""

from __future__ import annotations

import numpy as np
import pytest

from nestmat.errors import InputError
from nestmat.search.methods.base import SearchContext
from nestmat.search.methods.generative import Generative, localise
from nestmat.search.problem import Constraint, Problem, Target
from support.box_materials import SPACE, quantity


def problem(value=1.0, **told):
    def predict(x):
        mean = quantity(x)
        return {"q": (mean, 0.01 + 0.1 * (x[:, 2] + 1))}

    return Problem(SPACE, predict, [Target("q", "value", value, tolerance=0.1)], **told)


class Samples:
    """Materials that do not follow what is asked for, and some of them outside."""

    def __init__(self, outside=0):
        self.outside = outside

    def sample(self, value, n, seed):
        x = SPACE.sample(n, seed)
        x[: self.outside, 0] = 1.5
        return x


def test_samples_outside_of_the_space_are_counted_and_left_out():
    found = Generative(samples=50).bind(SearchContext([Samples(outside=8)])).propose(problem(), 1000, 0)
    assert found.details == {"sampled": 50, "inside": 42, "kept": 42}
    assert len(found.x) == 42
    assert found.evaluations == 42


def test_the_filters_are_those_of_value_and_constraints():
    bound = Constraint("q", high=0.05, of="std")
    wanted = problem(constraints=[bound])
    found = Generative(samples=400, accept=0.05).bind(SearchContext([Samples()])).propose(wanted, 1000, 0)
    x = SPACE.sample(400, 0)
    expected = (np.abs(quantity(x) - 1.0) <= 0.05) & (0.01 + 0.1 * (x[:, 2] + 1) <= 0.05)
    assert 0 < len(found.x) == expected.sum() < 400
    distance = found.table["distance"].to_numpy()
    assert np.all(np.diff(distance) >= 0)


def test_localisation_moves_only_numbers_that_matter():
    x = SPACE.sample(200, 0)
    # Where the prediction is flat, at 0, there is nowhere to go.
    x = x[quantity(x) > 0.2]
    free = localise(problem(), x, Generative(steps=500, rate=0.05, prior=0.0))
    held = localise(problem(), x, Generative(steps=500, rate=0.05, prior=1.0))
    assert np.abs(quantity(free) - 1.0).max() < 0.02
    assert np.abs(held - x).mean() < np.abs(free - x).mean()
    assert np.array_equal(SPACE.canonical(free), free)
    # Ends of an interval are a thousandth inside it.
    assert np.allclose(free[:, 2], x[:, 2], atol=2e-3)


def test_raw_localisation_is_plain_descent_on_the_mean():
    x = SPACE.sample(10, 0)
    x = x[quantity(x) > 0.2]
    moved = localise(problem(), x, Generative(steps=1, rate=0.5, scaled=False))
    slope = 2 * (quantity(x) - 1.0)[:, None] * np.array([2.0, 1.0, 0.0]) / len(x)
    assert np.allclose(moved, x - 0.5 * slope)


def test_what_localisation_takes_out_of_the_space_is_left_out():
    settings = Generative(samples=100, near=1.0, steps=5, rate=200.0, scaled=False)
    found = settings.bind(SearchContext([Samples()])).propose(problem(), 5000, 0)
    assert found.details["localised_inside"] < found.details["near"]
    assert np.array_equal(SPACE.canonical(found.x), found.x)


def test_searches_take_the_models_of_their_seed():
    bound = Generative(samples=10).bind(SearchContext([Samples(), Samples(outside=10)]))
    assert [bound.propose(problem(), 100, seed).details["inside"] for seed in range(4)] == [10, 0, 10, 0]


@pytest.mark.parametrize(
    ("settings", "wanted", "budget", "told"),
    [
        (Generative(samples=100), problem(), 10, "too small for the samples"),
        (
            Generative(),
            Problem(SPACE, problem().predict, [Target("q", "maximise")]),
            10_000,
            "needs one target with a value",
        ),
    ],
)
def test_an_impossible_generative_search_is_refused(settings, wanted, budget, told):
    with pytest.raises(InputError, match=told):
        settings.bind(SearchContext([Samples()])).propose(wanted, budget, 0)
