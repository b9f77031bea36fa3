"""What all search methods have in common."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from nestmat.config.problems import Method
from nestmat.errors import InputError
from nestmat.plugins import load_plugins
from nestmat.search.methods import registry
from nestmat.search.methods.random_search import RandomSearch
from nestmat.search.problem import Constraint, Problem, Target, order
from nestmat.search.spaces.pool import Pool
from nestmat.search.spaces.product import Product
from nestmat.search.spaces.simplex import Simplex
from support.toy_search import METHODS, problem, space


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
    first, again = (METHODS[name].propose(problem(), space().n_materials, seed=3) for _ in range(2))
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


PLUGIN = '''
"""Materials of the grid in their order, as many as the budget allows."""

from dataclasses import dataclass, field

import numpy as np

from nestmat.search.candidates import Archive
from nestmat.search.methods.base import SearchMethod
from nestmat.search.methods.registry import METHODS


@METHODS.register("first_materials")
@dataclass(frozen=True)
class FirstMaterials(SearchMethod):
    """Predict the first materials of the grid.

    Attributes:
        keep: Candidates to propose.
    """

    keep: int = field(default=100, metadata={"ge": 1})

    def propose(self, problem, budget, seed):
        archive = Archive(problem, self.keep)
        archive.add(problem.space.from_index(np.arange(budget)))
        return archive.candidates()
'''


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """A search method of a plug-in file, which is there during one test."""
    assert all(registry.METHODS.values()), "kinds that are imported later would be lost with the copies"
    for name in ("_entries", "_files"):
        monkeypatch.setattr(registry.METHODS, name, dict(getattr(registry.METHODS, name)))
    file = tmp_path / "first_materials.py"
    file.write_text(PLUGIN)
    load_plugins([file])
    yield file
    del sys.modules[f"nestmat_plugin_{file.stem}"]


def test_a_search_method_of_a_plugin_searches(plugin):
    method = Method.model_validate({"kind": "first_materials", "keep": 7}).build()
    found = method.propose(problem(), budget=50, seed=0)
    assert (len(found.x), found.evaluations) == (7, 50)
    with pytest.raises(ValidationError, match="keep"):
        Method.model_validate({"kind": "first_materials", "keep": 0})


@pytest.mark.parametrize(
    ("capability", "kinds"),
    [
        ("is_reference", ["random", "ranking"]),
        ("enumerates_space", ["ranking"]),
        ("draws_uniformly", ["random"]),
        ("needs_generator", ["generative"]),
        ("needs_known_materials", ["inversion"]),
        ("decodes_prior", ["decode"]),
        ("scans_latents", ["scan"]),
    ],
)
def test_capabilities_of_methods(capability, kinds):
    assert [kind for kind, method in registry.METHODS.items() if getattr(method, capability)] == kinds
