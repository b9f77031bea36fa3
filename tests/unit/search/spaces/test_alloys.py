"""Spaces of perovskites with alloyed sites, and of alloys of elements."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nestmat.errors import InputError
from nestmat.materials import formulas
from nestmat.search.spaces.alloys import ABX3Alloy, Alloy
from nestmat.search.spaces.simplex import Simplex
from support.perovskite_spaces import perovskites


def test_formulas_read_back_as_the_same_composition():
    space = perovskites()
    x = space.sample(200, seed=1)
    for text, row in zip(space.formulas(x), x, strict=True):
        sites = formulas.parse(text).sites()
        for name, share in zip(space.columns[:10], row, strict=False):
            site, ion = name.split(":")
            assert sites[site].get(ion, 0.0) == pytest.approx(share, abs=1e-9)


def test_formulas_of_alloys():
    space = Alloy(Simplex(["Al", "Co", "Fe"], 20, fewest=2, most=3, least=0.05))
    assert space.formulas(np.array([[0.25, 0.0, 0.75]])) == ["Al25Fe75"]
    assert set(space.columns) == {"Al", "Co", "Fe"}


def test_neutrality_is_checked_when_the_space_is_made():
    sites = {
        "A": Simplex(["Cs"], 4, site="A"),
        "B": Simplex(["Pb", "Bi"], 4, site="B"),
        "X": Simplex(["I"], 4, site="X"),
    }
    with pytest.raises(InputError, match="differ in charge"):
        ABX3Alloy(sites, {"Cs": 1, "Pb": 2, "Bi": 3, "I": -1})
    with pytest.raises(InputError, match="charge of 1"):
        ABX3Alloy(sites, {"Cs": 1, "Pb": 3, "Bi": 3, "I": -1})
    with pytest.raises(InputError, match="charge of Bi is missing"):
        ABX3Alloy(sites, {"Cs": 1, "Pb": 2, "I": -1})


def test_alloys_of_many_elements_keep_every_limit_at_once():
    species = [f"e{k:02d}" for k in range(30)]
    limits = dict.fromkeys(species, (0.0, 0.35))
    elements = Simplex(species, 100, fewest=3, most=6, least=0.05, bounds=limits)
    space = Alloy(elements)
    # Ways to choose so many of them, times ways to share out 100 steps, from 5 to 35 each.
    ways, total = [1], 0
    for present in range(1, 7):
        ways = [sum(ways[s - k] for k in range(5, 36) if 0 <= s - k < len(ways)) for s in range(101)]
        total += math.comb(30, present) * ways[100] if present >= 3 else 0
    assert space.n_materials == total
    random = np.random.default_rng(0)
    free = space.from_free(torch.from_numpy(4 * random.normal(size=(500, 30)))).numpy()
    drawn = space.sample(500, 0)
    stepped = space.random_neighbour(drawn, random)
    snapped = space.canonical(free)
    for x in (free, drawn, stepped, snapped, space.canonical(random.dirichlet(np.full(30, 0.1), size=500))):
        present = (x > 0).sum(axis=1)
        assert present.min() >= 3
        assert present.max() <= 6
        assert x[x > 0].min() >= 0.05 - 1e-12
        assert x.max() <= 0.35 + 1e-12
        np.testing.assert_allclose(x.sum(axis=1), 1, atol=1e-12)
    for x in (drawn, stepped, snapped):
        np.testing.assert_array_equal(space.canonical(x), x)
    np.testing.assert_array_equal(
        space.canonical(space.from_free(torch.from_numpy(space.to_free(drawn))).numpy()), drawn
    )


def test_formulas_are_in_atomic_percent_and_sorted():
    space = Alloy(Simplex(["Ni", "Co", "Al"], 100, most=3))
    x = np.array([[0.07, 0.92, 0.01], [1.0, 0.0, 0.0]])
    assert space.formulas(x) == ["Al1Co92Ni7", "Ni100"]
    other = Alloy(Simplex(["Al", "Ni", "Co"], 100, most=3))
    assert other.formulas(x[:, [2, 0, 1]]) == space.formulas(x)
