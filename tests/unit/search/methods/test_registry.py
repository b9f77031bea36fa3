"""What all search methods have in common."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from toy_search import METHODS, problem, space

from nestmat.errors import InputError
from nestmat.search.methods.random_search import RandomSearch
from nestmat.search.problem import Constraint, Problem, Target, order
from nestmat.search.spaces.pool import Pool
from nestmat.search.spaces.product import Product
from nestmat.search.spaces.simplex import Simplex


@pytest.mark.parametrize("name", METHODS)
def test_methods_propose_materials_once_and_best_first(name):
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
