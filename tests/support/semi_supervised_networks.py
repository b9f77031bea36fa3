"""Small semi-supervised networks and batches of alloys."""

from __future__ import annotations

import numpy as np
import torch

from nestmat.models.base import Batch, is_labelled
from nestmat.models.noise import Noise
from nestmat.models.semi_supervised.network import SemiSupervisedAutoencoder
from nestmat.models.semi_supervised.specification import SemiSupervisedSpecification
from nestmat.models.specification import Encoder, Head, Shapes, Specification
from support.alloy_tables import ELEMENTS, EVIDENCE, compositions

MEMBERS, ROWS, LATENTS = 2, 12, 2


SHAPES = Shapes(
    {"shares": ELEMENTS, "evidence": EVIDENCE},
    {"shares": "simplex", "evidence": "continuous"},
    ["phase", "hardness", "magnetic"],
    {"phase": ["several", "single"], "magnetic": ["no", "yes"]},
)


CLASS = Head(hidden=(6,), loss="binary_cross_entropy", weight=4.0)


NUMBER = Head(hidden=(6,), loss="gaussian_nll")


def model(loss: str = "presence", targets: dict | None = None, **changes) -> Specification:
    options = changes.pop("options", {})
    heads = {"phase": CLASS} if targets is None else targets
    given = {
        "inputs": ("shares", "evidence"),
        "initialisation": "lecun",
        "encoder": Encoder(latents=LATENTS, hidden=(7,)),
        "heads": {**heads, "shares": Head(hidden=(8,), loss=loss)},
        "composition": "shares",
        "classifier": ("evidence",),
        **{"prior": {"phase": 0.3}, "presence": 3.0, **options},
    }
    return SemiSupervisedSpecification(**{**given, **changes})


SEVERAL = {"phase": CLASS, "hardness": NUMBER, "magnetic": CLASS}


def network_of(specification: Specification, members: int = MEMBERS) -> SemiSupervisedAutoencoder:
    found = specification.network(SHAPES, list(range(members)))
    generator = torch.Generator().manual_seed(5)
    # Biases start at 0: moved, so that each parameter matters.
    found.flat = found.flat + 0.2 * torch.randn(found.flat.shape, generator=generator)
    return found


def batch(
    specification: Specification, known: torch.Tensor, noise: Noise | None = None, seed: int = 0
) -> Batch:
    """A batch whose rows have labels where ``known``, (rows,), is 1."""
    rng = np.random.default_rng(seed)
    rows = len(known)
    parts = [np.stack([compositions(rows, seed + m).T for m in range(MEMBERS)])]
    parts.append(rng.normal(size=(MEMBERS, EVIDENCE, rows)))
    inputs = torch.from_numpy(np.concatenate(parts, axis=1)).float()
    targets = {"shares": inputs[:, :ELEMENTS]}
    for name in SHAPES.targets:
        if name in specification.heads:
            values = rng.integers(0, 2, rows) if name in SHAPES.classes else rng.normal(size=rows)
            tensor = torch.from_numpy(np.asarray(values, np.float32)).expand(MEMBERS, 1, rows)
            targets |= {name: tensor * known, is_labelled(name): known.expand(MEMBERS, 1, rows)}
    weight = torch.from_numpy(rng.uniform(0.5, 1.5, (MEMBERS, rows))).float()
    return Batch(inputs, targets, weight / weight.sum(dim=1, keepdim=True), noise)


HALF = (torch.arange(ROWS) < ROWS // 2).float()


BOTH = {"phase": CLASS, "hardness": NUMBER}
