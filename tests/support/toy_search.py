"""A small space with a known optimum, and every search method that needs no training, for tests."""

from __future__ import annotations

import torch

from nestmat.search.methods.genetic import Genetic
from nestmat.search.methods.gradient import Gradient
from nestmat.search.methods.nsga import NSGA
from nestmat.search.methods.random_search import RandomSearch
from nestmat.search.methods.ranking import Ranking
from nestmat.search.methods.vae import VAE
from nestmat.search.problem import Constraint, Problem, Target
from nestmat.search.spaces.factors import Interval
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
