"""A trained chain of two scales that predicts perovskites, for tests."""

from __future__ import annotations

import numpy as np

from nestmat.config.features import FeatureBlock
from nestmat.models.autoencoder.specification import AutoencoderSpecification
from nestmat.models.specification import Encoder, Head, Training
from nestmat.search.problem import Constraint, Problem, Target
from nestmat.search.spaces.factors import Choice, Fixed, Interval
from nestmat.search.spaces.product import Product
from nestmat.search.spaces.simplex import Simplex

SPECIES = {"A": ["K", "Cs"], "B": ["Sn", "Pb", "Ca"], "X": ["Cl", "Br", "I"]}
SITES = {site: FeatureBlock(site=site) for site in SPECIES}
OTHERS = {"strain": FeatureBlock(columns=["strain"]), "solvent": FeatureBlock(one_hot="solvent")}
BLOCKS = {
    "ions": {**SITES, "descriptors": FeatureBlock(site_descriptors=["A", "B", "X"])},
    "cell": OTHERS,
}
TRAINING = Training(epochs=150, batch_size=64, learning_rate=0.01, schedule="cosine", seeds=2)
MODELS = {
    "ions": AutoencoderSpecification(
        inputs=(*SITES, "descriptors"),
        encoder=Encoder(latents=6, hidden=(32,)),
        heads={site: Head(hidden=(32,), loss="cross_entropy") for site in SPECIES}
        | {"descriptors": Head(hidden=(32,), loss="mse")},
        training=TRAINING,
    ),
    "cell": AutoencoderSpecification(
        inputs=("ions", *OTHERS),
        encoder=Encoder(latents=3, hidden=(16,)),
        heads={"gap": Head(hidden=(16,))},
        training=TRAINING,
    ),
}
WEIGHTS = {"A:Cs": 0.1, "B:Sn": 0.3, "B:Pb": 0.8, "B:Ca": 3.0, "X:Cl": 1.5, "X:Br": 0.8}


def asked(perovskite_space, predict, **changes):
    given = {
        "targets": [Target("cell.gap", "range", 1.5, 1.7, tolerance=0.05)],
        "constraints": [Constraint("cell.gap", low=1.0)],
    }
    return Problem(perovskite_space, predict, **(given | changes))


def mixed_space():
    """Every kind of factor."""
    return Product(
        [
            Simplex([f"e{k}" for k in range(6)], 4, most=2),
            Interval("t", -1.0, 3.0, 9),
            Interval("phase", 0.0, 360.0, 12, periodic=True),
            Choice("layer", ["a", "b", "c"]),
            Fixed("p", 2.0),
        ]
    )


def conditions(x):
    """Two numbers that shares, t, phase and layer tell."""
    weights = np.linspace(0, 3, 6)
    return np.stack(
        [x[:, :6] @ weights + 0.3 * x[:, 6], np.cos(np.radians(x[:, 7])) + x[:, 9] - x[:, 10]], axis=1
    )
