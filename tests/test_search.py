"""Search methods find what they are asked for, in a space whose answer is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from nestmat.errors import InputError
from nestmat.search.methods.genetic import Genetic
from nestmat.search.methods.gradient import Gradient
from nestmat.search.methods.nsga import NSGA
from nestmat.search.methods.random_search import RandomSearch
from nestmat.search.methods.ranking import Ranking
from nestmat.search.methods.vae import VAE
from nestmat.search.problem import Constraint, Problem, Target, order
from nestmat.search.spaces.factors import Interval
from nestmat.search.spaces.pool import Pool
from nestmat.search.spaces.product import Product
from nestmat.search.spaces.simplex import Simplex

METHODS = {
    "random": RandomSearch(keep=50),
    "ranking": Ranking(keep=50),
    "genetic": Genetic(keep=50, population=60),
    "gradient": Gradient(keep=50, starts=40, steps=60),
    "nsga": NSGA(keep=50, population=60),
    "vae": VAE(keep=50, steps=200, rounds=3),
}
WEIGHTS = torch.tensor([0.2, 1.0, 1.9, 3.0], dtype=torch.float64)


def space():
    return Product([Simplex(["a", "b", "c", "d"], 12, most=3), Interval("t", 0.0, 1.0, 11)])


def predict(x):
    """A gap that shares and t tell, with a bend, and a cost."""
    shares, t = x[:, :4], x[:, 4]
    gap = shares @ WEIGHTS - 0.8 * shares[:, 0] * shares[:, 3] + 0.5 * (t - 0.3) ** 2
    cost = shares[:, 3] + 0.3 * t
    return {"gap": (gap, torch.full_like(gap, 0.05)), "cost": (cost, torch.full_like(cost, torch.nan))}


def problem(**changes):
    given = {
        "space": space(),
        "predict": predict,
        "targets": [Target("gap", "value", 1.35, tolerance=0.01)],
        "constraints": [Constraint("cost", high=0.2)],
    }
    return Problem(**(given | changes))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_proposes_materials_of_the_space_once_best_first(name):
    asked = problem()
    found = METHODS[name].propose(asked, budget=6000, seed=0)
    assert found.evaluations <= 6000
    np.testing.assert_array_equal(asked.space.canonical(found.x), found.x)
    assert len(np.unique(found.x, axis=0)) == len(found.x) == len(found.table)
    pd.testing.assert_frame_equal(asked.evaluate(found.x), found.table)
    np.testing.assert_array_equal(order(found.table), np.arange(len(found.x)))
    assert found.table["hit"].iloc[0]


@pytest.mark.parametrize("name", METHODS)
def test_every_method_repeats_itself_from_its_seed(name):
    first, again = (METHODS[name].propose(problem(), budget=6000, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.x, again.x)


def test_a_budget_too_small_for_a_gradient_is_refused():
    with pytest.raises(InputError, match="too small"):
        METHODS["gradient"].propose(problem(), budget=20, seed=0)
    found = METHODS["gradient"].propose(problem(), budget=160, seed=0)
    assert 0 < found.evaluations <= 160


def test_ranking_finds_the_best_of_all():
    asked = problem()
    everything = asked.evaluate(np.concatenate(list(asked.space.enumerate(1000))))
    found = METHODS["ranking"].propose(asked, budget=10_000, seed=0)
    best = everything.iloc[order(everything)[:50]]
    np.testing.assert_array_equal(found.table["distance"], best["distance"])
    assert found.evaluations == asked.space.n_materials
    with pytest.raises(InputError, match="budget"):
        METHODS["ranking"].propose(asked, budget=100, seed=0)


def large():
    """A space too large to rank, in which a hit is rare."""
    names = [f"e{k}" for k in range(8)]
    weights = torch.linspace(0.0, 3.5, 8, dtype=torch.float64)
    profile = torch.linspace(-1.0, 1.0, 8, dtype=torch.float64).square()

    def quantities(x):
        gap, cost = x @ weights, 4 * (x.square() @ profile)
        return {"gap": (gap, torch.zeros_like(gap)), "cost": (cost, torch.zeros_like(cost))}

    return Problem(
        Product([Simplex(names, 40, most=6)]),
        quantities,
        [Target("cost", "minimise")],
        [Constraint("gap", low=0.95, high=1.05, tolerance=0.1)],
    )


@pytest.mark.parametrize("name", ["genetic", "gradient", "nsga", "vae"])
def test_searching_beats_drawing(name):
    asked = large()
    drawn = RandomSearch(keep=10).propose(asked, budget=8000, seed=0)
    searched = METHODS[name].propose(asked, budget=8000, seed=0)
    assert searched.table["violation"].iloc[0] == 0
    assert searched.table["distance"].iloc[0] < drawn.table["distance"].iloc[0]


def test_goals_measure_what_they_say():
    mean = torch.tensor([1.0, 1.3, 1.6], dtype=torch.float64)
    assert Target("q", "value", 1.3, tolerance=0.1).distance(mean).tolist() == pytest.approx([3, 0, 3])
    assert Target("q", "range", 1.2, 1.5, tolerance=0.1).distance(mean).tolist() == pytest.approx([2, 0, 1])
    assert Target("q", "maximise").distance(mean).tolist() == [-1.0, -1.3, -1.6]
    assert Target("q", "minimise", tolerance=2).distance(mean).tolist() == [0.5, 0.65, 0.8]
    assert Target("q", "value", 1.3, tolerance=0.1).hit(mean.numpy()).tolist() == [False, True, False]
    assert Target("q", "range", 1.2, 1.5).hit(mean.numpy()).tolist() == [False, True, False]


def test_constraints_spare_standard_deviations():
    mean, std = torch.tensor([1.0, 1.0, torch.nan]), torch.tensor([0.2, torch.nan, 0.1])
    bound = Constraint("q", high=1.1, sigmas=1.0, tolerance=0.1)
    assert bound.violation(mean, std).tolist() == pytest.approx([1.0, 0.0, np.inf])
    assert Constraint("q", low=1.1).violation(mean, std).tolist() == pytest.approx([0.1, 0.1, np.inf])


def test_rows_that_keep_the_constraints_come_first():
    table = pd.DataFrame({"violation": [0.0, 0.2, 0.0, 0.1], "distance": [5.0, 0.0, 1.0, 0.0]})
    assert order(table).tolist() == [2, 0, 3, 1]


def test_a_problem_that_cannot_be_is_refused():
    with pytest.raises(InputError, match="is not predicted"):
        problem(targets=[Target("colour", "maximise")])
    with pytest.raises(InputError, match="has no target"):
        problem(targets=[])
    with pytest.raises(InputError, match="has no bound"):
        Constraint("gap")
    with pytest.raises(InputError, match="is empty"):
        Target("gap", "range", 2.0, 1.0)


def test_a_pool_is_ranked_or_drawn_from_and_not_searched_along():
    table = pd.DataFrame(space().sample(300, 0), columns=["a", "b", "c", "d", "t"]).drop_duplicates()
    pool = Pool(table, [str(k) for k in range(len(table))])
    asked = problem(space=pool)
    best = METHODS["ranking"].propose(asked, budget=300, seed=0)
    drawn = METHODS["random"].propose(asked, budget=3000, seed=0)
    np.testing.assert_array_equal(best.x[0], drawn.x[0])
    for name in ("genetic", "gradient", "nsga", "vae"):
        with pytest.raises(InputError, match=r"pool|parts|factors"):
            METHODS[name].propose(asked, budget=3000, seed=0)


def test_what_has_no_end_is_a_hit_from_enough_on():
    gap = np.array([1.0, 2.0, 3.0])
    assert Target("gap", "maximise", enough=2.0).hit(gap).tolist() == [False, True, True]
    assert Target("gap", "minimise", enough=2.0).hit(gap).tolist() == [True, True, False]
    assert Target("gap", "maximise").hit(gap).all()
    with pytest.raises(InputError, match="there is no `enough`"):
        Target("gap", "value", 1.0, enough=2.0)


def test_a_standard_deviation_is_bounded_on_its_own():
    mean, std = torch.tensor([1.0, 1.0, 1.0]), torch.tensor([0.1, 0.3, torch.nan])
    beyond = Constraint("gap", high=0.2, tolerance=0.1, of="std").violation(mean, std)
    torch.testing.assert_close(beyond, torch.tensor([0.0, 1.0, torch.inf]))
