"""A trained semi-supervised model that predicts alloys, for tests."""

from __future__ import annotations

import dataclasses

import numpy as np

from nestmat.config.features import FeatureBlock
from nestmat.models.autoencoder.specification import AutoencoderSpecification
from nestmat.models.semi_supervised.specification import SemiSupervisedSpecification
from nestmat.models.specification import Encoder, Head, Training
from nestmat.search.problem import Target

ELEMENTS = ["Al", "Co", "Cr", "Fe", "Hf", "Mo", "Nb", "Ni", "Ti", "W"]
RULES = {"species": ELEMENTS, "grid": 100, "fewest": 3, "most": 6, "least": 0.05, "greatest": 0.35}
ALLOY_BLOCKS = {"shares": FeatureBlock(elements=ELEMENTS), "solution": FeatureBlock(alloy=True)}
TRAINING = Training(epochs=120, batch_size=64, learning_rate=0.01, schedule="cosine", seeds=2)
ALLOY_MODELS = {
    "conditional": SemiSupervisedSpecification(
        inputs=("shares", "solution"),
        encoder=Encoder(latents=4, hidden=(48,)),
        heads={
            "single": Head(hidden=(32,), loss="binary_cross_entropy", weight=20.0),
            "shares": Head(hidden=(48,), loss="presence"),
        },
        composition="shares",
        classifier=("solution",),
        training=TRAINING,
    ),
    "plain": AutoencoderSpecification(
        inputs=("shares", "solution"),
        encoder=Encoder(latents=3, hidden=(8,)),
        heads={
            "single": Head(hidden=(8,), loss="binary_cross_entropy"),
            "shares": Head(hidden=(8,), loss="cross_entropy"),
        },
        training=dataclasses.replace(TRAINING, epochs=2),
    ),
}
WANTED = Target("phase.single", "maximise", enough=0.5)


def single(alloy_problem, x) -> np.ndarray:
    return alloy_problem.evaluate(x)["phase.single.mean"].to_numpy()
