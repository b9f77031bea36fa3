"""A space of perovskites with alloyed sites for tests."""

from __future__ import annotations

import numpy as np
import torch

from nestmat.search.spaces.alloys import ABX3Alloy
from nestmat.search.spaces.factors import Choice, Fixed, Interval
from nestmat.search.spaces.simplex import Simplex

CHARGES = {"K": 1, "Cs": 1, "MA": 1, "Ge": 2, "Sn": 2, "Pb": 2, "Ca": 2, "Cl": -1, "Br": -1, "I": -1}


def perovskites(**others):
    return ABX3Alloy(
        {
            "A": Simplex(["K", "Cs", "MA"], 8, site="A", most=2),
            "B": Simplex(["Ge", "Sn", "Pb", "Ca"], 8, site="B", most=3, least=0.125, bounds={"Pb": (0, 0.4)}),
            "X": Simplex(["Cl", "Br", "I"], 8, site="X", bounds={"I": (0.25, 0.75)}),
        },
        CHARGES,
        [
            Interval("strain", -0.02, 0.02, 5),
            Fixed("temperature", 300.0),
            Choice("solvent", ["DMSO", "DMF", "THTO"]),
        ],
    )


def free(space, n, spread=4.0):
    random = np.random.default_rng(0)
    return torch.from_numpy(random.normal(0, spread, (n, space.n_free)))
