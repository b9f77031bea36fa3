"""A small autoencoder with a head of each sort, and the shapes of its scale."""

from __future__ import annotations

from typing import Any

from nestmat.models.autoencoder.specification import AutoencoderSpecification
from nestmat.models.specification import Encoder, Head, Shapes, Specification

SHAPES = Shapes(
    {"descriptors": 4, "A": 3, "solvent": 5},
    {"descriptors": "continuous", "A": "simplex", "solvent": "categorical"},
    ["gap", "energy"],
)


def model(**changes: Any) -> Specification:
    """A model that predicts a number and decodes three blocks.

    Args:
        changes: Other options than those of the model.
    """
    options: dict[str, Any] = {
        "inputs": ("descriptors", "A"),
        "encoder": Encoder(latents=2, hidden=(6,), activation="relu"),
        "heads": {
            "gap": Head(hidden=(5,)),
            "descriptors": Head(hidden=(5,), loss="huber"),
            "A": Head(hidden=(5,), loss="cross_entropy"),
            "solvent": Head(loss="cross_entropy"),
        },
    }
    return AutoencoderSpecification(**{**options, **changes})
