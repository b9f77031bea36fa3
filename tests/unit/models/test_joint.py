"""Parent and child trained together."""

from __future__ import annotations

import torch

from nestmat.models.autoencoder.network import Autoencoder
from nestmat.models.autoencoder.specification import AutoencoderSpecification
from nestmat.models.base import Batch
from nestmat.models.joint import JointBatch, JointModel
from nestmat.models.specification import Encoder, Head, Shapes

MEMBERS, ROWS = 3, 40


def uniform_weight(rows: int = ROWS) -> torch.Tensor:
    return torch.full((MEMBERS, rows), 1 / rows)


SHAPES = Shapes(
    {"descriptors": 4, "A": 3, "solvent": 5},
    {"descriptors": "continuous", "A": "simplex", "solvent": "categorical"},
    ["gap", "energy"],
)


def test_gradient_of_the_child_reaches_the_encoder_of_its_parent():
    encoder = Encoder(latents=2)
    parent = AutoencoderSpecification(inputs=("descriptors",), encoder=encoder, heads={"gap": Head()})
    child = AutoencoderSpecification(
        inputs=("A", "fine"), encoder=Encoder(latents=2), heads={"energy": Head(), "fine": Head()}
    )
    shapes = Shapes({"A": 3, "fine": 2}, {"A": "simplex", "fine": "continuous"}, ["energy"])
    joint = JointModel(
        Autoencoder(child, shapes, range(MEMBERS)), {"fine": Autoencoder(parent, SHAPES, range(MEMBERS))}
    )
    joint.flat.requires_grad_()
    rows = Batch(torch.randn(MEMBERS, 3, ROWS), {"energy": torch.randn(MEMBERS, 1, ROWS)}, uniform_weight())
    own = Batch(torch.randn(MEMBERS, 4, 30), {"gap": torch.randn(MEMBERS, 1, 30)}, uniform_weight(30))
    features = torch.randn(MEMBERS, 4, ROWS)
    terms = joint.loss(JointBatch(rows, {"fine": own}, {"fine": features}))
    assert list(terms) == list(joint.term_weights) == ["energy", "fine", "fine.gap"]
    (gradient,) = torch.autograd.grad(terms["energy"].sum(), joint.flat)
    gradient_of_parent = joint.parents["fine"].layout.views(gradient[:, joint.sizes[0] :])
    assert gradient_of_parent["encoder.0.weight"].abs().sum() > 0
    assert gradient_of_parent["heads0.0.weight"].abs().sum() == 0
