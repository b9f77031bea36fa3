"""The autoencoder: shapes, penalties, and members that share nothing."""

from __future__ import annotations

import pytest
import torch

from nestmat.errors import InputError
from nestmat.models.autoencoder.network import Autoencoder
from nestmat.models.autoencoder.specification import AutoencoderSpecification
from nestmat.models.base import Batch
from nestmat.models.specification import Encoder, Head, Shapes, Specification
from support.autoencoders import SHAPES, model
from support.class_scale import CLASS_HEAD

MEMBERS, ROWS = 3, 40


def uniform_weight(rows: int = ROWS) -> torch.Tensor:
    return torch.full((MEMBERS, rows), 1 / rows)


def batch(specification: Specification, rows: int = ROWS) -> Batch:
    def values(name: str) -> torch.Tensor:
        raw = torch.randn(MEMBERS, SHAPES.width(name), rows)
        continuous = name in SHAPES.targets or SHAPES.kinds[name] == "continuous"
        return raw if continuous else torch.softmax(raw, dim=1)

    inputs = torch.cat([values(name) for name in specification.inputs], dim=1)
    return Batch(inputs, {name: values(name) for name in specification.heads}, uniform_weight(rows))


def test_shapes_of_every_interface():
    heads = {**model().heads, "energy": Head(loss="gaussian_nll")}
    specification = model(heads=heads)
    network = Autoencoder(specification, SHAPES, range(MEMBERS))
    z, log_std = network.encode(torch.randn(MEMBERS, ROWS, 7))
    assert z.shape == (MEMBERS, ROWS, 2)
    assert log_std is None
    blocks = network.decode(z)
    assert {name: value.shape[-1] for name, value in blocks.items()} == SHAPES.blocks
    for name in ("A", "solvent"):
        torch.testing.assert_close(blocks[name].sum(dim=-1), torch.ones(MEMBERS, ROWS))
    predicted = network.predict(z)
    assert all(part.shape == (MEMBERS, ROWS) for pair in predicted.values() for part in pair)
    assert predicted["gap"][1].isnan().all()
    assert (predicted["energy"][1] > 0).all()
    terms = network.loss(batch(specification))
    assert list(terms) == list(network.term_weights) == list(heads)
    assert all(value.shape == (MEMBERS,) for value in terms.values())


@pytest.mark.parametrize("pieces", [0, 3])
def test_relevance_groups_all_that_leaves_an_input(pieces):
    encoder = Encoder(latents=2, hidden=(6,), pieces=pieces)
    network = Autoencoder(model(encoder=encoder, penalties={"input_relevance": 1.0}), SHAPES, range(MEMBERS))
    weight = network.weights["encoder.0.weight"]
    widths = [pieces or 1] * SHAPES.blocks["descriptors"] + [1] * SHAPES.blocks["A"]
    assert weight.shape[2] == sum(widths)
    expected = sum(part.flatten(1).norm(dim=1) for part in weight.split(widths, dim=2))
    torch.testing.assert_close(network.loss(batch(network.specification))["input_relevance"], expected)


def test_penalties():
    penalties = {"l1": 0.1, "l2": 0.2, "l1_encoder": 0.3, "latent_decorrelation": 1.0}
    network = Autoencoder(model(penalties=penalties), SHAPES, range(MEMBERS))
    network.flat += 0.01
    terms = network.loss(batch(model()))
    assert network.term_weights["l2"] == 0.2
    torch.testing.assert_close(terms["l1"], network.flat.abs().sum(dim=1))
    torch.testing.assert_close(terms["l2"], network.flat.square().sum(dim=1))
    encoder = [value for name, value in network.weights.items() if name.startswith("encoder")]
    matrices = [value for value in encoder if value.shape[2] > 1]
    torch.testing.assert_close(terms["l1_encoder"], sum(value.abs().sum(dim=(1, 2)) for value in matrices))


def test_members_do_not_touch_each_other():
    specification = model(penalties={"l1": 0.1, "latent_target_correlation": 1.0})
    network = Autoencoder(specification, SHAPES, range(MEMBERS))
    network.flat.requires_grad_()
    network.loss(batch(specification))["gap"][1].backward()
    touched = network.flat.grad.abs().sum(dim=1) > 0
    assert touched.tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("head", "classes", "text"),
    [
        (Head(loss="mse"), {"phase": ["no", "yes"]}, "use binary_cross_entropy"),
        (Head(loss="gaussian_nll"), {"phase": ["no", "yes"]}, "use binary_cross_entropy"),
        (CLASS_HEAD, {"phase": ["a", "b", "c"]}, "has 3 classes. Remedy: use cross_entropy"),
        (CLASS_HEAD, {}, "or give the column"),
        (
            Head(loss="binary_cross_entropy", floor=0.0),
            {"phase": ["no", "yes"]},
            "has classes, and so no floor",
        ),
    ],
)
def test_a_loss_that_does_not_fit_the_target_is_named(head, classes, text):
    specification = AutoencoderSpecification(inputs=("x",), encoder=Encoder(latents=1), heads={"phase": head})
    with pytest.raises(InputError, match=text):
        Autoencoder(specification, Shapes({"x": 2}, {"x": "continuous"}, ["phase"], classes), [])


def test_a_block_has_no_binary_loss():
    specification = AutoencoderSpecification(
        inputs=("x",), encoder=Encoder(latents=1), heads={"x": CLASS_HEAD}
    )
    with pytest.raises(InputError, match="does not fit the block"):
        Autoencoder(specification, Shapes({"x": 2}, {"x": "continuous"}, []), [])


def test_a_class_is_never_standardised():
    for wanted in (True, False):
        head = Head(loss="binary_cross_entropy", standardise=wanted)
        network = Autoencoder(
            AutoencoderSpecification(inputs=("x",), encoder=Encoder(latents=1), heads={"phase": head}),
            Shapes({"x": 2}, {"x": "continuous"}, ["phase"], {"phase": ["no", "yes"]}),
            [0, 1],
        )
        mean, std = network.predict(torch.randn(2, 5, 1))["phase"]
        assert ((mean > 0) & (mean < 1)).all()
        assert std.isnan().all()


def test_several_classes_are_a_softmax():
    names = {"grade": ["low", "mid", "high"]}
    specification = AutoencoderSpecification(
        inputs=("x",), encoder=Encoder(latents=2), heads={"grade": Head(loss="cross_entropy", hidden=(4,))}
    )
    shapes = Shapes({"x": 2}, {"x": "continuous"}, ["grade"], names)
    network = Autoencoder(specification, shapes, [0, 1])
    predicted = network.predict(torch.randn(2, 5, 2))
    assert list(predicted) == ["grade: low", "grade: mid", "grade: high"]
    total = sum(mean for mean, _ in predicted.values())
    torch.testing.assert_close(total, torch.ones(2, 5))
    assert all(std.isnan().all() for _, std in predicted.values())
    assert shapes.target_of["grade: mid"] == "grade"


@pytest.mark.parametrize(
    ("head", "text"),
    [
        (Head(loss="binary_cross_entropy", transform="log"), "whose logarithm"),
        (Head(loss="poisson", transform="log"), "poisson takes a logarithm by itself"),
        (Head(loss="poisson", floor=0.0), "floor or an activation"),
    ],
)
def test_a_logarithm_is_of_numbers_and_taken_once(head, text):
    classes = {"y": ["no", "yes"]} if head.fit.two_classes else {}
    specification = AutoencoderSpecification(inputs=("x",), encoder=Encoder(latents=1), heads={"y": head})
    with pytest.raises(InputError, match=text):
        Autoencoder(specification, Shapes({"x": 2}, {"x": "continuous"}, ["y"], classes), [])
